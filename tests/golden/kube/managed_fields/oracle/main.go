// Oracle answers one JSON request per line with what the field manager of k8s.io/apimachinery does: apply or update.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type Req struct {
	Op, Manager, Subresource, APIVersion, Kind string
	Force                                      bool
	Live, Obj                                  json.RawMessage
	Reset                                      [][]string
}

type nop struct{}

func (nop) Default(runtime.Object) {}

func typed(raw json.RawMessage, gvk schema.GroupVersionKind) (runtime.Object, error) {
	obj, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	if len(raw) > 0 && string(raw) != "null" {
		if err := json.Unmarshal(raw, obj); err != nil {
			return nil, err
		}
	}
	obj.GetObjectKind().SetGroupVersionKind(gvk)
	return obj, nil
}

func run(r Req) (map[string]any, error) {
	gv, _ := schema.ParseGroupVersion(r.APIVersion)
	gvk := gv.WithKind(r.Kind)
	filters := map[fieldpath.APIVersion]fieldpath.Filter{}
	if len(r.Reset) > 0 {
		set := fieldpath.NewSet()
		for _, p := range r.Reset {
			parts := []any{}
			for _, x := range p {
				parts = append(parts, x)
			}
			set.Insert(fieldpath.MakePathOrDie(parts...))
		}
		filters[fieldpath.APIVersion(r.APIVersion)] = fieldpath.NewExcludeSetFilter(set)
	}
	fm, err := managedfields.NewDefaultFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), scheme.Scheme, nop{}, scheme.Scheme, gvk, gv, r.Subresource, filters)
	if err != nil {
		return nil, err
	}
	live, err := typed(r.Live, gvk)
	if err != nil {
		return nil, err
	}
	var out runtime.Object
	if r.Op == "apply" {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		if err := json.Unmarshal(r.Obj, &u.Object); err != nil {
			return nil, err
		}
		out, err = fm.Apply(live, u, r.Manager, r.Force)
	} else if r.Op == "normalize" {
		out, err = typed(r.Obj, gvk)
	} else {
		var obj runtime.Object
		obj, err = typed(r.Obj, gvk)
		if err != nil {
			return nil, err
		}
		out, err = fm.Update(live, obj, r.Manager)
	}
	if err != nil {
		return nil, err
	}
	out.GetObjectKind().SetGroupVersionKind(gvk)
	b, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(b, &m)
}

func main() {
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(make([]byte, 1<<20), 1<<26)
	enc := json.NewEncoder(os.Stdout)
	for sc.Scan() {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		var r Req
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		obj, err := run(r)
		res := map[string]any{"object": obj}
		if err != nil {
			res["error"] = err.Error()
			var se apierrors.APIStatus
			if errors.As(err, &se) {
				s := se.Status()
				res["code"] = s.Code
				if s.Details != nil {
					res["causes"] = s.Details.Causes
				}
			}
		}
		_ = metav1.Status{}
		enc.Encode(res)
	}
}
