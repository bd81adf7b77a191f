"""How a service uses the object API: objects client, informers, work queues, controllers, leader election, events.

    async with Client(env.transport.channel(options.apiserver, "apiserver.kybern")) as client:
        informers = SharedInformerFactory(client, env.random, env.telemetry)
        pods = informers.informer(PODS, indexers={NODE: by_node})
        loop = Controller("pod", reconcile, env.telemetry, traceparent=pods.traceparent, resource="pods")
        pods.add_handler(each(lambda pod: loop.queue.add(meta.key(pod))))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informers.run())
            await informers.wait_for_sync()
            tasks.create_task(loop.run())

Layers, each on the last: `calls` (one wire) → `objects` (verbs) → `informer` (a mirror of a collection) → `workqueue`
and `controller` (keys to reconcile). `leader` and `events` stand beside them on `objects`.
"""
