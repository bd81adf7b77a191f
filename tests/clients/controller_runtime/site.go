package main

import (
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var version = schema.GroupVersion{Group: "example.com", Version: "v1"}

// Site is the custom resource: so many replicas of an image, with settings from a ConfigMap.
type Site struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata,omitempty"`
	Spec            SiteSpec   `json:"spec"`
	Status          SiteStatus `json:"status,omitempty"`
}

type SiteSpec struct {
	Image    string `json:"image"`
	Replicas int32  `json:"replicas"`
	Settings string `json:"settings,omitempty"` // name of a ConfigMap
}

type SiteStatus struct {
	Ready              int32  `json:"ready"`
	Settings           string `json:"settings,omitempty"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
}

type SiteList struct {
	meta.TypeMeta `json:",inline"`
	meta.ListMeta `json:"metadata,omitempty"`
	Items         []Site `json:"items"`
}

func (s *Site) DeepCopyObject() runtime.Object {
	copied := *s
	copied.ObjectMeta = *s.ObjectMeta.DeepCopy()
	return &copied
}

func (l *SiteList) DeepCopyObject() runtime.Object {
	copied := SiteList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for _, item := range l.Items {
		copied.Items = append(copied.Items, *item.DeepCopyObject().(*Site))
	}
	return &copied
}

func addSites(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(version, &Site{}, &SiteList{})
	meta.AddToGroupVersion(scheme, version)
	return nil
}
