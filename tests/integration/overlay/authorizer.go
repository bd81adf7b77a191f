package framework

// An authorizer of a test's own is in the test's process: Kybern asks it by the webhook that Kubernetes has for that.

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	kubeapiservertesting "k8s.io/kubernetes/cmd/kube-apiserver/app/testing"
	"k8s.io/kubernetes/pkg/apis/authorization"
	v1 "k8s.io/kubernetes/pkg/apis/authorization/v1"
	"k8s.io/kubernetes/pkg/registry/authorization/util"
)

// modes stands for the authorizers that Kybern has itself, and remembers whether it was asked.
type modes struct{ asked bool }

// Authorize leaves the answer to others.
func (m *modes) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	m.asked = true
	return authorizer.DecisionNoOpinion, "", nil
}

// serveAuthorizer has a test's authorizer answer SubjectAccessReviews; the flags that have Kybern ask it, before
// its own modes if the test asks these, instead of them if it does not.
func serveAuthorizer(t testing.TB, folder string, own *modes, named []string, asked authorizer.Authorizer) []string {
	t.Helper()
	own.asked = false
	asked.Authorize(context.Background(), &authorizer.AttributesRecord{User: &user.DefaultInfo{Name: "nobody"}})
	if !own.asked {
		named = nil
	}
	certificate, key, err := kubeapiservertesting.ServingPair()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		review(answer, request, asked)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)

	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: certificate}
	config.AuthInfos["kybern"] = clientcmdapi.NewAuthInfo()
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "kybern"}
	config.CurrentContext = "test"
	path := filepath.Join(folder, "authorizer.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--authorization-mode=" + strings.Join(append([]string{"Webhook"}, named...), ","),
		"--authorization-webhook-config-file=" + path,
		"--authorization-webhook-version=v1",
		"--authorization-webhook-cache-authorized-ttl=0s",
		"--authorization-webhook-cache-unauthorized-ttl=0s",
	}
}

func review(answer http.ResponseWriter, request *http.Request, asked authorizer.Authorizer) {
	var given authorizationv1.SubjectAccessReview
	var spec authorization.SubjectAccessReviewSpec
	err := json.NewDecoder(request.Body).Decode(&given)
	if err == nil {
		err = v1.Convert_v1_SubjectAccessReviewSpec_To_authorization_SubjectAccessReviewSpec(&given.Spec, &spec, nil)
	}
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	attributes := util.AuthorizationAttributesFrom(spec)
	decision, reason, err := asked.Authorize(request.Context(), &attributes)
	given.Status = authorizationv1.SubjectAccessReviewStatus{
		Allowed: decision == authorizer.DecisionAllow,
		Denied:  decision == authorizer.DecisionDeny,
		Reason:  reason,
	}
	if err != nil {
		given.Status.EvaluationError = err.Error()
	}
	answer.Header().Set("Content-Type", "application/json")
	json.NewEncoder(answer).Encode(&given)
}
