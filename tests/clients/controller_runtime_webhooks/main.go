// Webhooks on controller-runtime's own server: one that labels ConfigMaps, one that refuses some, one that converts.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintf(os.Stderr, "usage: %s CERTIFICATES PORT\n", os.Args[0])
		os.Exit(1)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(certificates, port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	decoder := admission.NewDecoder(scheme)
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: number, CertDir: certificates})
	server.Register("/label", &admission.Webhook{Handler: admission.HandlerFunc(label(decoder))})
	server.Register("/refuse", &admission.Webhook{Handler: admission.HandlerFunc(refuse(decoder))})
	server.Register("/strict", http.HandlerFunc(strict))
	ctx, stop := signal.NotifyContext(ctrl.SetupSignalHandler(), os.Interrupt)
	defer stop()
	return server.Start(ctx)
}

// label gives every ConfigMap the label of its author.
func label(decoder admission.Decoder) func(context.Context, admission.Request) admission.Response {
	return func(_ context.Context, request admission.Request) admission.Response {
		var object corev1.ConfigMap
		if err := decoder.Decode(request, &object); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if object.Labels == nil {
			object.Labels = map[string]string{}
		}
		object.Labels["author"] = strings.ReplaceAll(request.UserInfo.Username, ":", ".")
		changed, err := json.Marshal(&object)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		return admission.PatchResponseFromRaw(request.Object.Raw, changed)
	}
}

// refuse lets nobody take away the key "kept".
func refuse(decoder admission.Decoder) func(context.Context, admission.Request) admission.Response {
	return func(_ context.Context, request admission.Request) admission.Response {
		if request.Operation != admissionv1.Update {
			return admission.Allowed("").WithWarnings("seen by controller-runtime")
		}
		var object, before corev1.ConfigMap
		if err := decoder.Decode(request, &object); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if err := decoder.DecodeRaw(request.OldObject, &before); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if _, was := before.Data["kept"]; was {
			if _, is := object.Data["kept"]; !is {
				return admission.Denied("the key is kept")
			}
		}
		return admission.Allowed("")
	}
}

// strict reads the review without leniency: a field that Kubernetes does not know is an error.
func strict(writer http.ResponseWriter, request *http.Request) {
	decoder := json.NewDecoder(request.Body)
	decoder.DisallowUnknownFields()
	review := admissionv1.AdmissionReview{}
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if err := decoder.Decode(&review); err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	response.UID = review.Request.UID
	review.Response, review.Request = response, nil
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(&review)
}
