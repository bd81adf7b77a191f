"""How a service uses the object API: objects client, informers, work queues, controllers, leader election, events.

    channel = env.transport.channel(options.apiserver, "apiserver.kybern")
    client = Client(channel, env.telemetry)
    informers = SharedInformerFactory(client, env.random)
    pods = informers.informer(PODS)
    controller = Controller("replicaset", reconcile, informer.traceparent, env.telemetry, workers=5)
    pods.add_handler(EventHandler(...controller.queue.add(key)...))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run()); tasks.create_task(informers.run()); tasks.create_task(controller.run())

Layers, each on the last: `calls` (one wire) → `objects` (verbs) → `informer` (a mirror of a collection) → `workqueue`
and `controller` (keys to reconcile). `leader` and `events` stand beside them on `objects`.
"""
