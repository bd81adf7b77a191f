"""Descriptions that `kubectl explain` shows: one own sentence for the kinds and fields people look up most."""

_CORE = "io.k8s.api.core.v1."
_APPS = "io.k8s.api.apps.v1."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."

# Fields that mean the same wherever they are.
_EVERYWHERE = {
    "apiVersion": "The group and version that this object is written in, such as v1 or apps/v1.",
    "kind": "What sort of object this is, such as Pod.",
    "metadata": "The object's name, labels, owners and other data that every object has.",
    "spec": "What is wanted.",
    "status": "What is, as last observed; written by the cluster.",
    "items": "The objects of this list.",
    "conditions": "What has been observed to hold or not to hold, by type.",
    "observedGeneration": "The metadata.generation that this status was computed from.",
    "minReadySeconds": "How long a new pod must be ready before it counts as available.",
    "revisionHistoryLimit": "How many old revisions are kept to roll back to.",
}

_KINDS = {
    _CORE + "Pod": "A group of containers that run together on one node and share its network identity.",
    _CORE + "Service": "One stable address for a changing set of pods.",
    _CORE + "ConfigMap": "Configuration for pods to read, as keys and values.",
    _CORE + "Secret": "Confidential data for pods to read, as keys and base64 values.",
    _CORE + "Namespace": "A scope for names; deleting it deletes everything inside.",
    _CORE + "Node": "A machine that runs pods.",
    _CORE + "ServiceAccount": "An identity for what runs in pods.",
    _CORE + "PersistentVolume": "Storage that exists in the cluster, for a claim to take.",
    _CORE + "PersistentVolumeClaim": "A request for storage, bound to one PersistentVolume.",
    _CORE + "Endpoints": "The addresses behind a Service (older form of EndpointSlice).",
    _CORE + "Event": "A report that something happened to an object.",
    _CORE + "ReplicationController": "Keeps a number of equal pods running (older form of ReplicaSet).",
    _CORE + "ResourceQuota": "The most that a namespace may use.",
    _CORE + "LimitRange": "Limits and defaults for single pods, containers and claims of a namespace.",
    _CORE + "Container": "One process tree, started from an image.",
    _CORE + "PodSpec": "The containers of a pod and how they are to run.",
    _CORE + "PodTemplateSpec": "What pods made from this template look like.",
    _APPS + "Deployment": "Keeps a number of equal pods running and replaces them step by step when they change.",
    _APPS + "ReplicaSet": "Keeps a number of equal pods running.",
    _APPS + "StatefulSet": "Keeps pods with stable names and storage running, in order.",
    _APPS + "DaemonSet": "Keeps one pod running on every matching node.",
    _APPS + "DeploymentSpec": "The pods a Deployment keeps, and how it replaces them.",
    _APPS + "ControllerRevision": "One past state of a StatefulSet or DaemonSet.",
    "io.k8s.api.batch.v1.Job": "Runs pods until enough of them have succeeded.",
    "io.k8s.api.batch.v1.CronJob": "Creates a Job at the times of a schedule.",
    "io.k8s.api.networking.v1.Ingress": "Routes HTTP requests from outside to services.",
    "io.k8s.api.networking.v1.NetworkPolicy": "Says who may talk to which pods.",
    "io.k8s.api.rbac.v1.Role": "What may be done inside one namespace.",
    "io.k8s.api.rbac.v1.ClusterRole": "What may be done in the whole cluster, or in any namespace it is bound in.",
    "io.k8s.api.rbac.v1.RoleBinding": "Grants a role to subjects inside one namespace.",
    "io.k8s.api.rbac.v1.ClusterRoleBinding": "Grants a cluster role to subjects everywhere.",
    "io.k8s.api.policy.v1.PodDisruptionBudget": "How many of a set of pods must stay up during voluntary disruption.",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler": "Changes the number of replicas to follow metrics.",
    "io.k8s.api.coordination.v1.Lease": "A lock with an expiry, for leader election and heartbeats.",
    "io.k8s.api.discovery.v1.EndpointSlice": "Part of the addresses behind a Service.",
    "io.k8s.api.storage.v1.StorageClass": "How storage of one class is provisioned.",
    "io.k8s.api.scheduling.v1.PriorityClass": "A named priority for pods.",
    _META + "ObjectMeta": "What every object has: its name, namespace, labels, owners and history.",
    _META + "LabelSelector": "Chooses objects by their labels; all its parts must match.",
}

_FIELDS: dict[str, dict[str, str]] = {
    _META + "ObjectMeta": {
        "name": "Unique among objects of the same resource in the namespace; cannot change.",
        "generateName": "A prefix from which the server makes a unique name when name is empty.",
        "namespace": "The namespace the object is in; cannot change.",
        "labels": "Short keys and values to select objects by.",
        "annotations": "Keys and values for tools, not for selection.",
        "uid": "Unique over time and space; set by the server.",
        "resourceVersion": "Changes with every write; set by the server.",
        "generation": "Counts changes of what is wanted; set by the server.",
        "creationTimestamp": "When the object was created; set by the server.",
        "deletionTimestamp": "When the object is to be gone; set by the server when deletion is asked for.",
        "finalizers": "Names of those who must finish before the object is removed.",
        "ownerReferences": "The objects this one depends on; it is removed when they all are.",
        "managedFields": "Who set which field, for server-side apply.",
    },
    _CORE + "PodSpec": {
        "containers": "The containers that run for as long as the pod does; at least one.",
        "initContainers": "Containers that run one after another, each to its end, before the others start.",
        "volumes": "Storage that containers of the pod can mount.",
        "restartPolicy": "When containers that end are started again: Always, OnFailure or Never.",
        "nodeName": "The node the pod is on; set by the scheduler.",
        "nodeSelector": "Labels that a node must have to run the pod.",
        "affinity": "Which nodes and which neighbours the pod wants or refuses.",
        "tolerations": "Taints that do not keep the pod off a node.",
        "serviceAccountName": "The ServiceAccount the pod runs as.",
        "terminationGracePeriodSeconds": "How long containers may take to stop before they are killed.",
        "activeDeadlineSeconds": "How long the pod may be active before it is failed.",
        "dnsPolicy": "How names are resolved: ClusterFirst, ClusterFirstWithHostNet, Default or None.",
        "hostNetwork": "Use the node's network instead of an own one.",
        "hostname": "The host name inside the pod; the pod's name when empty.",
        "imagePullSecrets": "Secrets with credentials for image registries.",
        "priorityClassName": "The PriorityClass the pod's priority comes from.",
        "schedulerName": "The scheduler that places the pod.",
        "securityContext": "User, group and other security settings for all containers.",
        "topologySpreadConstraints": "How pods like this one are to be spread over zones or nodes.",
        "runtimeClassName": "The RuntimeClass the pod runs with.",
    },
    _CORE + "Container": {
        "name": "Unique within the pod; cannot change.",
        "image": "The image to start from.",
        "imagePullPolicy": "When the image is pulled: Always, IfNotPresent or Never.",
        "command": "What to run instead of the image's entrypoint.",
        "args": "Arguments instead of the image's.",
        "workingDir": "The directory to start in instead of the image's.",
        "env": "Environment variables.",
        "envFrom": "ConfigMaps and Secrets whose keys become environment variables.",
        "ports": "Ports the container listens on; for information and for references by name.",
        "resources": "Compute resources the container is given (requests) and may use at most (limits).",
        "volumeMounts": "Where volumes of the pod appear in the container's file system.",
        "livenessProbe": "A check that restarts the container when it fails.",
        "readinessProbe": "A check that keeps traffic away while it fails.",
        "startupProbe": "A check that must succeed once before the other probes begin.",
        "lifecycle": "What to do after the container starts and before it stops.",
        "securityContext": "User, capabilities and other security settings; these win over the pod's.",
        "terminationMessagePath": "The file whose content becomes the container's termination message.",
        "tty": "Give the container a terminal.",
        "stdin": "Keep standard input open.",
    },
    _CORE + "ServiceSpec": {
        "selector": "Labels of the pods behind the service.",
        "ports": "The ports the service listens on.",
        "type": "How the service is reached: ClusterIP, NodePort, LoadBalancer or ExternalName.",
        "clusterIP": "The service's address inside the cluster; None for a headless service.",
        "externalName": "The DNS name an ExternalName service stands for.",
        "sessionAffinity": "ClientIP keeps a client on one pod; None does not.",
        "externalTrafficPolicy": "Whether traffic from outside goes to pods on other nodes: Cluster or Local.",
        "internalTrafficPolicy": "Whether traffic from inside goes to pods on other nodes: Cluster or Local.",
    },
    _CORE + "ServicePort": {
        "port": "The port of the service.",
        "targetPort": "The port of the pods, by number or by name; the same as port when not given.",
        "nodePort": "The port on every node, for NodePort and LoadBalancer services.",
        "protocol": "TCP, UDP or SCTP.",
        "name": "The name of the port; needed when there are several.",
    },
    _CORE + "ConfigMap": {
        "data": "Keys and text values.",
        "binaryData": "Keys and base64 values.",
        "immutable": "When true, the data can never change again.",
    },
    _CORE + "Secret": {
        "data": "Keys and base64 values.",
        "stringData": "Keys and plain values, merged into data on write; never read back.",
        "type": "What the data is for, such as Opaque or kubernetes.io/tls.",
        "immutable": "When true, the data can never change again.",
    },
    _APPS + "DeploymentSpec": {
        "replicas": "How many pods are wanted; 1 when not given.",
        "selector": "The labels of the pods that belong to this Deployment; must match the template, cannot change.",
        "template": "The pods to run.",
        "strategy": "How old pods are replaced by new ones.",
        "paused": "When true, changes of the template are not rolled out.",
        "progressDeadlineSeconds": "How long a rollout may stand still before it is reported as failed.",
    },
    _APPS + "DeploymentStrategy": {
        "type": "RollingUpdate replaces pods step by step, Recreate all at once.",
        "rollingUpdate": "How many pods may be missing or surplus during a rolling update.",
    },
    _APPS + "RollingUpdateDeployment": {
        "maxSurge": "How many pods above the wanted number may exist, as a number or percentage.",
        "maxUnavailable": "How many of the wanted pods may be missing, as a number or percentage.",
    },
    _APPS + "ReplicaSetSpec": {
        "replicas": "How many pods are wanted; 1 when not given.",
        "selector": "The labels of the pods that belong to this ReplicaSet; cannot change.",
        "template": "The pods to run.",
    },
    _META + "LabelSelector": {
        "matchLabels": "Labels that must have exactly these values.",
        "matchExpressions": "Conditions on labels: In, NotIn, Exists, DoesNotExist.",
    },
}


def describe(definition: str) -> str:
    """The description of a definition; empty when there is none."""
    return _KINDS.get(definition, "")


def describe_field(definition: str, field: str) -> str:
    """The description of a field of a definition; empty when there is none."""
    return _FIELDS.get(definition, {}).get(field) or _EVERYWHERE.get(field, "")
