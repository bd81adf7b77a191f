package main

import (
	"context"
	"fmt"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	name      = "site-controller"
	finalizer = "example.com/site"
	settings  = "spec.settings" // the index of Sites by their ConfigMap
)

// reconciler gives every Site a Deployment of its name, by server-side apply.
type reconciler struct {
	client.Client
	recorder events.EventRecorder
}

func (r *reconciler) register(manager ctrl.Manager) error {
	err := manager.GetFieldIndexer().IndexField(context.Background(), &Site{}, settings, func(object client.Object) []string {
		if wanted := object.(*Site).Spec.Settings; wanted != "" {
			return []string{wanted}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(manager).
		Named("site").
		For(&Site{}).
		Owns(&apps.Deployment{}).
		Watches(&core.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.sitesOf)).
		Complete(r)
}

// sitesOf are the Sites with settings in a ConfigMap, from the index.
func (r *reconciler) sitesOf(ctx context.Context, object client.Object) []reconcile.Request {
	var found SiteList
	if err := r.List(ctx, &found, client.InNamespace(object.GetNamespace()), client.MatchingFields{settings: object.GetName()}); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for _, site := range found.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&site)})
	}
	return requests
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var site Site
	if err := r.Get(ctx, request.NamespacedName, &site); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !site.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.finish(ctx, &site)
	}
	if controllerutil.AddFinalizer(&site, finalizer) {
		return ctrl.Result{}, r.Update(ctx, &site)
	}
	text, err := r.textOf(ctx, &site)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.Apply(ctx, deployment(&site, text), client.FieldOwner(name), client.ForceOwnership); err != nil {
		return ctrl.Result{}, fmt.Errorf("apply: %w", err)
	}
	var made apps.Deployment
	if err := r.Get(ctx, request.NamespacedName, &made); err != nil { // the cache may be behind; its event comes
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{}, r.report(ctx, &site, made.Status.ReadyReplicas, text)
}

func (r *reconciler) textOf(ctx context.Context, site *Site) (string, error) {
	if site.Spec.Settings == "" {
		return "", nil
	}
	var found core.ConfigMap
	err := r.Get(ctx, client.ObjectKey{Namespace: site.Namespace, Name: site.Spec.Settings}, &found)
	return found.Data["text"], client.IgnoreNotFound(err)
}

func deployment(site *Site, text string) *applyapps.DeploymentApplyConfiguration {
	labels := map[string]string{"site": site.Name}
	owner := applymeta.OwnerReference().WithAPIVersion(version.String()).WithKind("Site").WithName(site.Name).
		WithUID(site.UID).WithController(true).WithBlockOwnerDeletion(true)
	container := applycore.Container().WithName("web").WithImage(site.Spec.Image)
	if text != "" {
		container.WithEnv(applycore.EnvVar().WithName("TEXT").WithValue(text))
	}
	return applyapps.Deployment(site.Name, site.Namespace).WithLabels(labels).WithOwnerReferences(owner).
		WithSpec(applyapps.DeploymentSpec().WithReplicas(site.Spec.Replicas).
			WithSelector(applymeta.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(applycore.PodTemplateSpec().WithLabels(labels).WithSpec(applycore.PodSpec().
				WithTerminationGracePeriodSeconds(0).WithContainers(container))))
}

// report writes the status when it says something new.
func (r *reconciler) report(ctx context.Context, site *Site, ready int32, text string) error {
	wanted := SiteStatus{Ready: ready, Settings: text, ObservedGeneration: site.Generation}
	if site.Status == wanted {
		return nil
	}
	status := map[string]any{"ready": int64(ready), "settings": text, "observedGeneration": site.Generation}
	applied := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	applied.SetGroupVersionKind(version.WithKind("Site"))
	applied.SetName(site.Name)
	applied.SetNamespace(site.Namespace)
	r.recorder.Eventf(site, nil, core.EventTypeNormal, "Reported", "Report", "%d ready", ready)
	return r.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner(name), client.ForceOwnership)
}

// finish leaves a ConfigMap that says so, and lets the Site go.
func (r *reconciler) finish(ctx context.Context, site *Site) error {
	if !controllerutil.ContainsFinalizer(site, finalizer) {
		return nil
	}
	note := applycore.ConfigMap("finished-"+site.Name, site.Namespace).WithData(map[string]string{"site": site.Name})
	if err := r.Apply(ctx, note, client.FieldOwner(name)); err != nil {
		return err
	}
	before := site.DeepCopyObject().(*Site)
	controllerutil.RemoveFinalizer(site, finalizer)
	return client.IgnoreNotFound(r.Patch(ctx, site, client.MergeFrom(before)))
}
