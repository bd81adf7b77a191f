package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// form is one object in both wire forms, as Go writes them.
type form struct {
	Protobuf []byte          `json:"protobuf"`
	JSON     json.RawMessage `json:"json"`
}

// golden prints the forms of every manifest in a file, by "Kind/name".
func golden(path string) error {
	if err := apiextensions.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	manifests, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	codec := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	found := map[string]form{}
	for _, manifest := range strings.Split(string(manifests), "\n---\n") {
		document, err := yaml.YAMLToJSON([]byte(manifest))
		if err != nil {
			return err
		}
		object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return err
		}
		var head struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal(document, &head); err != nil {
			return err
		}
		one, err := forms(codec, object)
		if err != nil {
			return err
		}
		found[kind.Kind+"/"+head.Metadata.Name] = one
	}
	output := json.NewEncoder(os.Stdout)
	output.SetIndent("", " ")
	return output.Encode(found)
}

func forms(codec runtime.Serializer, object runtime.Object) (form, error) {
	var written bytes.Buffer
	if err := codec.Encode(object, &written); err != nil {
		return form{}, err
	}
	text, err := json.Marshal(object)
	return form{written.Bytes(), text}, err
}
