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

// names is what errors of decoding say of a struct's members.
type names struct {
	Types  map[string][]string `json:"types,omitempty"`  // of lists and maps, of what is in them, and so on
	Inside map[string]string   `json:"inside,omitempty"` // the embedded structs on the way to a member
}

// typeNames prints, by OpenAPI definition, the names of the types of its members.
func typeNames() error {
	if err := apiextensions.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	found := map[string]*names{}
	for _, kind := range scheme.Scheme.AllKnownTypes() {
		name(kind, found)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func name(kind reflect.Type, found map[string]*names) {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, kind.Kind()) {
		kind = kind.Elem()
	}
	definition := strings.ReplaceAll(strings.Replace(kind.PkgPath(), "k8s.io", "io.k8s", 1), "/", ".") + "." + kind.Name()
	if kind.Kind() != reflect.Struct || !strings.HasPrefix(definition, "io.k8s") || found[definition] != nil {
		return
	}
	made := &names{Types: map[string][]string{}, Inside: map[string]string{}}
	found[definition] = made
	nameMembers(kind, "", made, found)
}

func nameMembers(kind reflect.Type, inside string, made *names, found map[string]*names) {
	for i := range kind.NumField() {
		field := kind.Field(i)
		name(field.Type, found)
		member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if member == "" && strings.Contains(options, "inline") {
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			nameMembers(inner, inside+field.Name+".", made, found)
			continue
		}
		if member == "" || member == "-" {
			continue
		}
		if inside != "" {
			made.Inside[member] = inside
		}
		made.Types[member] = levels(field.Type)
	}
}

// levels are the names of a type, of what it holds, and so on.
func levels(kind reflect.Type) []string {
	switch kind.Kind() {
	case reflect.Pointer:
		return levels(kind.Elem())
	case reflect.Slice, reflect.Map:
		return append([]string{kind.String()}, levels(kind.Elem())...)
	}
	return []string{kind.String()}
}
