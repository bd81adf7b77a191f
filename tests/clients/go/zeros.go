package main

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// zeros prints, by message, the numbers of the scalar fields whose zero values are written to JSON: pointers, and
// fields without omitempty. Messages without such a field are there too, with an empty list.
func zeros() error {
	if err := apiextensions.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	found := map[string][]int{}
	for _, kind := range scheme.Scheme.AllKnownTypes() {
		look(kind, found)
	}
	output := json.NewEncoder(os.Stdout)
	return output.Encode(found)
}

func look(kind reflect.Type, found map[string][]int) {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, kind.Kind()) {
		kind = kind.Elem()
	}
	name := strings.NewReplacer("/", ".", "-", "_").Replace(kind.PkgPath()) + "." + kind.Name()
	if kind.Kind() != reflect.Struct || !strings.HasPrefix(name, "k8s.io") || found[name] != nil {
		return
	}
	found[name] = []int{}
	for i := range kind.NumField() {
		field := kind.Field(i)
		wire := strings.Split(field.Tag.Get("protobuf"), ",")
		look(field.Type, found)
		if len(wire) < 3 {
			continue
		}
		number, err := strconv.Atoi(wire[1])
		inner, pointer := field.Type, field.Type.Kind() == reflect.Pointer
		if pointer {
			inner = inner.Elem()
		}
		scalar := inner.Kind() == reflect.String || inner.Kind() == reflect.Bool || (inner.Kind() >= reflect.Int && inner.Kind() <= reflect.Float64)
		if err == nil && scalar && (pointer || !strings.Contains(field.Tag.Get("json"), ",omit")) {
			found[name] = append(found[name], number)
		}
	}
	slices.Sort(found[name])
}
