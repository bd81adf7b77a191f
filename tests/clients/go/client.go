package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// report is what the test reads.
type report struct {
	Image      string   `json:"image"`
	CPU        string   `json:"cpu"`
	Surge      string   `json:"surge"`
	Ready      int32    `json:"ready"`
	Scaled     int32    `json:"scaled"`
	Seen       []string `json:"seen"`
	Conflict   bool     `json:"conflict"`
	Invalid    string   `json:"invalid"`
	Binary     []byte   `json:"binary"`
	Evicted    bool     `json:"evicted"`
	TokenBytes int      `json:"tokenBytes"`
	Applied    string   `json:"applied"`
}

// client uses the typed clientset with protobuf in both directions.
func client(namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var found report
	for _, step := range []func(context.Context, *kubernetes.Clientset, string, *report) error{
		watched, configs, deployment, accounts, applied,
	} {
		if err := step(ctx, set, namespace, &found); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

// watched follows ConfigMaps with an informer while one is added, changed and deleted.
func watched(ctx context.Context, set *kubernetes.Clientset, namespace string, found *report) error {
	factory := informers.NewSharedInformerFactoryWithOptions(set, 0, informers.WithNamespace(namespace))
	seen := make(chan string, 100)
	tell := func(what string, object any) {
		if config, ok := object.(*core.ConfigMap); ok && config.Name == "seen" {
			seen <- what + " " + config.Data["n"]
		}
	}
	informer := factory.Core().V1().ConfigMaps().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { tell("add", object) },
		UpdateFunc: func(_, object any) { tell("update", object) },
		DeleteFunc: func(object any) { tell("delete", object) },
	})
	if err != nil {
		return err
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	factory.Start(stop.Done())
	factory.WaitForCacheSync(ctx.Done())
	api := set.CoreV1().ConfigMaps(namespace)
	made := &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "seen"}, Data: map[string]string{"n": "1"}}
	if _, err := api.Create(ctx, made, meta.CreateOptions{}); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	patch := []byte(`{"data":{"n":"2"}}`)
	if _, err := api.Patch(ctx, "seen", types.StrategicMergePatchType, patch, meta.PatchOptions{}); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	if err := api.Delete(ctx, "seen", meta.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for range 3 {
		select {
		case what := <-seen:
			found.Seen = append(found.Seen, what)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// configs updates an object twice from the same version, and creates one that is invalid.
func configs(ctx context.Context, set *kubernetes.Clientset, namespace string, found *report) error {
	api := set.CoreV1().ConfigMaps(namespace)
	data := map[string][]byte{"b": {0, 255, 1}}
	made, err := api.Create(ctx, &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "c"}, BinaryData: data}, meta.CreateOptions{})
	if err != nil {
		return err
	}
	made.Data = map[string]string{"a": "1"}
	changed, err := api.Update(ctx, made, meta.UpdateOptions{})
	if err != nil {
		return err
	}
	found.Binary = changed.BinaryData["b"]
	_, err = api.Update(ctx, made, meta.UpdateOptions{})
	found.Conflict = errors.IsConflict(err)
	_, err = api.Create(ctx, &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "Bad_Name"}}, meta.CreateOptions{})
	if status, ok := err.(*errors.StatusError); ok {
		found.Invalid = status.Status().Details.Causes[0].Field
	}
	return api.DeleteCollection(ctx, meta.DeleteOptions{}, meta.ListOptions{FieldSelector: "metadata.name=c"})
}

// deployment runs one until it is ready, scales it, evicts a pod and deletes it.
func deployment(ctx context.Context, set *kubernetes.Clientset, namespace string, found *report) error {
	replicas, surge := int32(1), intstr.FromString("50%")
	labels := map[string]string{"app": "web"}
	container := core.Container{Name: "c", Image: "busybox:1", Resources: core.ResourceRequirements{
		Requests: core.ResourceList{core.ResourceCPU: resource.MustParse("0.25")},
	}}
	wanted := &apps.Deployment{ObjectMeta: meta.ObjectMeta{Name: "web"}, Spec: apps.DeploymentSpec{
		Replicas: &replicas,
		Selector: &meta.LabelSelector{MatchLabels: labels},
		Strategy: apps.DeploymentStrategy{RollingUpdate: &apps.RollingUpdateDeployment{MaxSurge: &surge}},
		Template: core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: labels}, Spec: core.PodSpec{Containers: []core.Container{container}}},
	}}
	api := set.AppsV1().Deployments(namespace)
	made, err := api.Create(ctx, wanted, meta.CreateOptions{})
	if err != nil {
		return err
	}
	first := made.Spec.Template.Spec.Containers[0]
	found.Image, found.CPU, found.Surge = first.Image, first.Resources.Requests.Cpu().String(), made.Spec.Strategy.RollingUpdate.MaxSurge.String()
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		now, err := api.Get(ctx, "web", meta.GetOptions{})
		if err == nil {
			found.Ready = now.Status.ReadyReplicas
		}
		return found.Ready == 1, err
	})
	if err != nil {
		return err
	}
	pods, err := set.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{LabelSelector: "app=web"})
	if err != nil {
		return err
	}
	gone := &policy.Eviction{ObjectMeta: meta.ObjectMeta{Name: pods.Items[0].Name, Namespace: namespace}}
	found.Evicted = set.PolicyV1().Evictions(namespace).Evict(ctx, gone) == nil
	scale, err := api.UpdateScale(ctx, "web", &autoscaling.Scale{ObjectMeta: meta.ObjectMeta{Name: "web", Namespace: namespace}, Spec: autoscaling.ScaleSpec{Replicas: 3}}, meta.UpdateOptions{})
	if err != nil {
		return err
	}
	found.Scaled = scale.Spec.Replicas
	background := meta.DeletePropagationBackground
	return api.Delete(ctx, "web", meta.DeleteOptions{PropagationPolicy: &background})
}

// accounts asks for a token of a ServiceAccount.
func accounts(ctx context.Context, set *kubernetes.Clientset, namespace string, found *report) error {
	api := set.CoreV1().ServiceAccounts(namespace)
	if _, err := api.Create(ctx, &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: "bob"}}, meta.CreateOptions{}); err != nil {
		return err
	}
	token, err := api.CreateToken(ctx, "bob", tokenRequest(), meta.CreateOptions{})
	if err == nil {
		found.TokenBytes = len(token.Status.Token)
	}
	return err
}

// applied uses server-side apply.
func applied(ctx context.Context, set *kubernetes.Clientset, namespace string, found *report) error {
	wanted := applycore.ConfigMap("applied", namespace).WithData(map[string]string{"a": "1"})
	made, err := set.CoreV1().ConfigMaps(namespace).Apply(ctx, wanted, meta.ApplyOptions{FieldManager: "test"})
	if err != nil {
		return err
	}
	found.Applied = made.ManagedFields[0].Manager
	return nil
}
