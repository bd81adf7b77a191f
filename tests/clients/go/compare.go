package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

const protobufType = "application/vnd.kubernetes.protobuf"

// A StatefulSet's claim templates say in JSON what they are; protobuf has no place for that.
func init() {
	plain := equality.Semantic.Copy()
	err := equality.Semantic.AddFunc(func(a, b core.PersistentVolumeClaim) bool {
		a.TypeMeta, b.TypeMeta = metav1.TypeMeta{}, metav1.TypeMeta{}
		return plain.DeepEqual(a, b)
	})
	if err != nil {
		panic(err)
	}
}

// comparison is what the test reads: what was compared, and where the two forms differ.
type comparison struct {
	mutex       sync.Mutex
	Kinds       []string       `json:"kinds"`
	Lists       []string       `json:"lists"`
	Metadata    int            `json:"metadata"`
	Differences []string       `json:"differences"`
	Answers     map[string]int `json:"answers"` // to the protobuf clients, by content type
}

func (c *comparison) differs(what string, arguments ...any) {
	c.Differences = append(c.Differences, fmt.Sprintf(what, arguments...))
}

// counted notes the content type of every answer.
type counted struct {
	inner http.RoundTripper
	found *comparison
}

func (c counted) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.inner.RoundTrip(request)
	if err == nil {
		c.found.mutex.Lock()
		c.found.Answers[response.Header.Get("Content-Type")]++
		c.found.mutex.Unlock()
	}
	return response, err
}

// clients has a client for every group-version, in one of the two forms.
type clients struct {
	config *rest.Config
	made   map[schema.GroupVersion]*rest.RESTClient
}

func (c *clients) of(version schema.GroupVersion) *rest.RESTClient {
	if c.made[version] == nil {
		config := rest.CopyConfig(c.config)
		config.GroupVersion = &version
		config.APIPath = "/apis"
		if version.Group == "" {
			config.APIPath = "/api"
		}
		made, err := rest.RESTClientFor(config)
		if err != nil {
			panic(err)
		}
		c.made[version] = made
	}
	return c.made[version]
}

// side is one resource as one of the clients sees it.
type side struct {
	*rest.RESTClient
	resource  string
	namespace string
}

func (s side) on(request *rest.Request) *rest.Request {
	return request.NamespaceIfScoped(s.namespace, s.namespace != "").Resource(s.resource)
}

func (s side) get(ctx context.Context, name string) (runtime.Object, error) {
	return s.on(s.Get()).Name(name).Do(ctx).Get()
}

func (s side) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	return s.on(s.Get()).VersionedParams(&options, scheme.ParameterCodec).Do(ctx).Get()
}

func (s side) watch(ctx context.Context, name, version string) (watch.Interface, error) {
	options := metav1.ListOptions{Watch: true, FieldSelector: "metadata.name=" + name, ResourceVersion: version}
	return s.on(s.Get()).VersionedParams(&options, scheme.ParameterCodec).Watch(ctx)
}

// compare writes every manifest with a protobuf client and reads it with both, and lists all there is with both.
func compare(namespace, path string) error {
	if err := apiextensions.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 80*time.Second)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	config.QPS, config.NegotiatedSerializer = -1, scheme.Codecs.WithoutConversion()
	found := &comparison{Answers: map[string]int{}, Differences: []string{}}
	binary := rest.CopyConfig(config)
	binary.ContentType, binary.AcceptContentTypes = protobufType, protobufType
	binary.Wrap(func(inner http.RoundTripper) http.RoundTripper { return counted{inner, found} })
	one, other := &clients{binary, map[schema.GroupVersion]*rest.RESTClient{}}, &clients{config, map[schema.GroupVersion]*rest.RESTClient{}}
	resources, err := served(config)
	if err != nil {
		return err
	}
	manifests, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, manifest := range strings.Split(strings.ReplaceAll(string(manifests), "NAMESPACE", namespace), "\n---\n") {
		document, err := yaml.YAMLToJSON([]byte(manifest))
		if err != nil {
			return err
		}
		object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", manifest, err)
		}
		resource := resources[*kind]
		where := ""
		if resource.Namespaced {
			where = namespace
		}
		version := kind.GroupVersion()
		if err := life(ctx, side{one.of(version), resource.Name, where}, side{other.of(version), resource.Name, where}, object, found); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		found.Kinds = append(found.Kinds, kind.GroupVersion().String()+" "+kind.Kind)
	}
	if err := lists(ctx, one, other, binary, resources, found); err != nil {
		return err
	}
	sort.Strings(found.Kinds)
	return json.NewEncoder(os.Stdout).Encode(found)
}

// served is every resource of the API by its kind.
func served(config *rest.Config) (map[schema.GroupVersionKind]metav1.APIResource, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	_, groups, err := client.ServerGroupsAndResources()
	found := map[schema.GroupVersionKind]metav1.APIResource{}
	for _, group := range groups {
		version, _ := schema.ParseGroupVersion(group.GroupVersion)
		for _, resource := range group.APIResources {
			if !strings.Contains(resource.Name, "/") {
				found[version.WithKind(resource.Kind)] = resource
			}
		}
	}
	return found, err
}

// life creates, reads, changes and deletes one object through protobuf, while both clients watch.
func life(ctx context.Context, binary, text side, object runtime.Object, found *comparison) error {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	name := accessor.GetName()
	before, err := text.list(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	list, _ := meta.ListAccessor(before)
	watches := make([]watch.Interface, 2)
	for i, each := range []side{binary, text} {
		if watches[i], err = each.watch(ctx, name, list.GetResourceVersion()); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		defer watches[i].Stop()
	}
	made, err := binary.on(binary.Post()).Body(object).Do(ctx).Get()
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if _, err := binary.on(binary.Post()).Body(object).Do(ctx).Get(); !errors.IsAlreadyExists(err) {
		found.differs("%s: created twice: %v", name, err)
	}
	accessor, _ = meta.Accessor(made)
	accessor.SetAnnotations(map[string]string{"updated": "yes"})
	if _, err := again(ctx, binary, name, func(now runtime.Object) *rest.Request {
		return binary.on(binary.Put()).Name(name).Body(now)
	}); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	patch := []byte(`{"metadata":{"labels":{"patched":"yes"},"finalizers":null}}`)
	if err := binary.on(binary.Patch(types.MergePatchType)).Name(name).Body(patch).Do(ctx).Error(); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	same(ctx, found, name+": get", func() (runtime.Object, error) { return binary.get(ctx, name) }, func() (runtime.Object, error) { return text.get(ctx, name) })
	selected := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	same(ctx, found, name+": list", func() (runtime.Object, error) { return binary.list(ctx, selected) }, func() (runtime.Object, error) { return text.list(ctx, selected) })
	zero := int64(0)
	if err := binary.on(binary.Delete()).Name(name).Body(&metav1.DeleteOptions{GracePeriodSeconds: &zero}).Do(ctx).Error(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return follow(ctx, watches, name, found)
}

// again updates an object with an annotation, until nobody else has changed it meanwhile.
func again(ctx context.Context, client side, name string, request func(runtime.Object) *rest.Request) (runtime.Object, error) {
	for {
		now, err := client.get(ctx, name)
		if err != nil {
			return nil, err
		}
		accessor, _ := meta.Accessor(now)
		accessor.SetAnnotations(map[string]string{"updated": "yes"})
		done, err := request(now).Do(ctx).Get()
		if !errors.IsConflict(err) {
			return done, err
		}
	}
}

// same reads twice with each client until nothing changed in between, and compares.
func same(ctx context.Context, found *comparison, what string, one, other func() (runtime.Object, error)) {
	for range 20 {
		first, err := one()
		if err != nil {
			found.differs("%s: protobuf: %v", what, err)
			return
		}
		second, err := other()
		if err != nil {
			found.differs("%s: JSON: %v", what, err)
			return
		}
		if equality.Semantic.DeepEqual(first, second) {
			return
		}
		if third, err := one(); err == nil && equality.Semantic.DeepEqual(first, third) {
			found.differs("%s: protobuf %s JSON %s", what, shown(first), shown(second))
			return
		}
	}
	found.differs("%s: never the same twice", what)
}

func shown(object runtime.Object) string {
	text, _ := json.Marshal(object)
	return string(text)
}

// follow compares the events of both watches until the object is gone.
func follow(ctx context.Context, watches []watch.Interface, name string, found *comparison) error {
	for count := 0; ; count++ {
		var events [2]watch.Event
		for i, each := range watches {
			select {
			case event, open := <-each.ResultChan():
				if !open {
					return fmt.Errorf("watch %d ended after %d events", i, count)
				}
				events[i] = event
			case <-time.After(20 * time.Second):
				return fmt.Errorf("watch %d has no more than %d events", i, count)
			}
		}
		if !equality.Semantic.DeepEqual(events[0], events[1]) {
			found.differs("%s: event %d: protobuf %s %s JSON %s %s", name, count, events[0].Type, shown(events[0].Object), events[1].Type, shown(events[1].Object))
		}
		if events[0].Type == watch.Deleted {
			if count < 2 {
				found.differs("%s: only %d events", name, count+1)
			}
			return nil
		}
	}
}

// lists compares everything there is, and its metadata.
func lists(ctx context.Context, one, other *clients, binary *rest.Config, resources map[schema.GroupVersionKind]metav1.APIResource, found *comparison) error {
	light, err := metadata.NewForConfig(binary)
	if err != nil {
		return err
	}
	for kind, resource := range resources {
		if !strings.Contains(resource.Verbs.String(), "list") {
			continue
		}
		version := kind.GroupVersion()
		partial, err := light.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
		if err != nil {
			found.differs("%s: metadata: %v", kind, err)
		} else {
			found.Metadata += len(partial.Items)
		}
		if !scheme.Scheme.Recognizes(kind) {
			continue
		}
		first, second := side{one.of(version), resource.Name, ""}, side{other.of(version), resource.Name, ""}
		all := metav1.ListOptions{}
		same(ctx, found, kind.String(), func() (runtime.Object, error) { return first.list(ctx, all) }, func() (runtime.Object, error) { return second.list(ctx, all) })
		found.Lists = append(found.Lists, kind.String())
	}
	return nil
}
