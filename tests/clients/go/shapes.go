package main

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// shape is what becomes of a struct's zero values in JSON.
type shape struct {
	Drops []string                   `json:"drops,omitempty"` // members that are left out when they are zero
	Keeps map[string]json.RawMessage `json:"keeps,omitempty"` // members that are always there, with their zero values
}

// shapes prints, by OpenAPI definition, the shape of every struct of the built-in kinds.
func shapes() error {
	if err := apiextensions.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	found := map[string]*shape{}
	for _, kind := range scheme.Scheme.AllKnownTypes() {
		if err := outline(kind, found); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func outline(kind reflect.Type, found map[string]*shape) error {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, kind.Kind()) {
		kind = kind.Elem()
	}
	name := strings.ReplaceAll(strings.Replace(kind.PkgPath(), "k8s.io", "io.k8s", 1), "/", ".") + "." + kind.Name()
	if kind.Kind() != reflect.Struct || !strings.HasPrefix(name, "io.k8s") || found[name] != nil {
		return nil
	}
	made := &shape{}
	found[name] = made
	text, err := json.Marshal(reflect.New(kind).Interface())
	if err != nil || json.Unmarshal(text, &made.Keeps) != nil {
		return nil // its JSON is not an object
	}
	return members(kind, made, found)
}

func members(kind reflect.Type, made *shape, found map[string]*shape) error {
	for i := range kind.NumField() {
		field := kind.Field(i)
		if err := outline(field.Type, found); err != nil {
			return err
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && strings.Contains(options, "inline") {
			if err := members(field.Type, made, found); err != nil {
				return err
			}
			continue
		}
		_, kept := made.Keeps[name]
		if !kept && name != "" && !slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Struct, reflect.Interface}, field.Type.Kind()) {
			made.Drops = append(made.Drops, name)
		}
	}
	return nil
}
