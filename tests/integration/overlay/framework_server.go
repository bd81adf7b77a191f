package framework

// Stands in for test/integration/framework/test_server.go: options are read back as flags, and a process of Kybern
// is started with them.

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/keyutil"

	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	kubeapiservertesting "k8s.io/kubernetes/cmd/kube-apiserver/app/testing"
	"k8s.io/kubernetes/pkg/controlplane"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

// TestServerSetup is what a test changes of the server.
type TestServerSetup struct {
	ModifyServerRunOptions func(*options.ServerRunOptions)
	ModifyServerConfig     func(*controlplane.Config)
}

// TearDownFunc ends a server.
type TearDownFunc func()

// StartTestServer starts Kybern as the options say, and returns when it is ready.
func StartTestServer(ctx context.Context, t testing.TB, setup TestServerSetup) (client.Interface, *rest.Config, TearDownFunc) {
	t.Helper()
	kubeapiservertesting.LeaveOutFeatures(t)
	opts, folder := defaultOptions(t)
	t.Cleanup(func() { os.RemoveAll(folder) })
	signing := opts.ServiceAccountSigningKeyFile
	if setup.ModifyServerRunOptions != nil {
		setup.ModifyServerRunOptions(opts)
	}
	if signing == opts.ServiceAccountSigningKeyFile && opts.ServiceAccountSigningEndpoint != "" {
		opts.ServiceAccountSigningKeyFile = ""
	}
	kubeapiservertesting.LeaveOutFeatures(t)
	flags := kubeapiservertesting.FlagsOf(opts)
	kubeapiservertesting.LeaveOutFlags(t, flags)
	if setup.ModifyServerConfig != nil {
		more := configure(t, folder, opts, setup.ModifyServerConfig)
		if slices.ContainsFunc(more, names("authorization-mode")) {
			flags = slices.DeleteFunc(flags, names("authorization-mode"))
		}
		flags = append(flags, more...)
	}
	server, err := kubeapiservertesting.StartWithFlags(folder, false, opts, flags)
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	tearDown := func() {
		if !ended {
			ended = true
			server.TearDownFn()
		}
	}
	t.Cleanup(tearDown)
	config := server.ClientConfig
	config.QPS, config.Burst = -1, 0
	config.CAFile, config.CAData, config.ServerName = filepath.Join(folder, "apiserver.crt"), nil, ""
	clients, err := client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return clients, config, tearDown
}

// names tells whether a flag is the one with this name.
func names(name string) func(string) bool {
	return func(flag string) bool { return strings.HasPrefix(flag, "--"+name+"=") }
}

func defaultOptions(t testing.TB) (*options.ServerRunOptions, string) {
	folder, err := os.MkdirTemp("", "test-integration-"+strings.ReplaceAll(t.Name(), "/", "_"))
	if err != nil {
		t.Fatal(err)
	}
	opts := options.NewServerRunOptions()
	opts.SecureServing.BindAddress = net.ParseIP("127.0.0.1")
	opts.SecureServing.ServerCert.CertDirectory = folder
	opts.Etcd.StorageConfig.Prefix = "/" + uuid.New().String() + "/registry"
	opts.Etcd.StorageConfig.Transport.ServerList = []string{GetEtcdURL()}
	opts.ServiceClusterIPRanges = "10.0.0.0/24"
	opts.Authentication.RequestHeader.UsernameHeaders = []string{"X-Remote-User"}
	opts.Authentication.RequestHeader.GroupHeaders = []string{"X-Remote-Group"}
	opts.Authentication.RequestHeader.ExtraHeaderPrefixes = []string{"X-Remote-Extra-"}
	opts.Authentication.RequestHeader.AllowedNames = []string{"kube-aggregator"}
	opts.Authentication.APIAudiences = []string{"https://foo.bar.example.com"}
	opts.Authentication.ServiceAccounts.Issuers = []string{"https://foo.bar.example.com"}
	opts.Authorization.Modes = []string{"Node", "RBAC"}
	key := filepath.Join(folder, "service-account.key")
	if err := kubeapiservertesting.WriteSigningKey(key); err != nil {
		t.Fatal(err)
	}
	opts.ServiceAccountSigningKeyFile = key
	opts.Authentication.ServiceAccounts.KeyFiles = []string{key}
	if _, err := kubeapiservertesting.WriteAuthorities(folder, nil); err != nil {
		t.Fatal(err)
	}
	opts.Authentication.RequestHeader.ClientCAFile = filepath.Join(folder, "proxy-ca.crt")
	opts.Authentication.ClientCert.ClientCA = filepath.Join(folder, "client-ca.crt")
	return opts, folder
}

// configure reads back what a test changes of the server's configuration, and leaves out a test that puts code there.
// Authorizers are asked by a webhook.
func configure(t testing.TB, folder string, opts *options.ServerRunOptions, modify func(*controlplane.Config)) []string {
	t.Helper()
	config := &controlplane.Config{}
	config.ControlPlane.Generic = &genericapiserver.Config{LoopbackClientConfig: &rest.Config{BearerToken: "loopback"}}
	generic := config.ControlPlane.Generic
	if key, err := keyutil.PrivateKeyFromFile(opts.ServiceAccountSigningKeyFile); err == nil {
		if made, err := serviceaccount.JWTTokenGenerator(opts.Authentication.ServiceAccounts.Issuers[0], key); err == nil {
			config.ControlPlane.Extra.ServiceAccountIssuer = made
		}
	}
	own := &modes{}
	generic.Authorization.Authorizer = own
	modify(config)
	switch {
	case generic.Authentication.Authenticator != nil:
		kubeapiservertesting.LeaveOut(t, "an authenticator of the test's own, in process")
	case generic.AdmissionControl != nil:
		kubeapiservertesting.LeaveOut(t, "an admission plugin of the test's own, in process")
	case generic.RequestInfoResolver != nil:
		kubeapiservertesting.LeaveOut(t, "a resolver of requests of the test's own, in process")
	case config.ControlPlane.APIResourceConfigSource != nil:
		kubeapiservertesting.LeaveOut(t, "APIs that are off by default")
	}
	var flags []string
	if limit := config.ControlPlane.Extra.ServiceAccountMaxExpiration; limit > 0 {
		flags = append(flags, fmt.Sprintf("--service-account-max-token-expiration=%s", limit))
	}
	if changed := generic.Authorization.Authorizer; changed != authorizer.Authorizer(own) {
		flags = append(flags, serveAuthorizer(t, folder, own, opts.Authorization.Modes, changed)...)
	}
	return flags
}
