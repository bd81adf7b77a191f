// Package fixtures starts the server that the tests ask: Kybern's whole API in a process of its own, where the original
// starts an apiextensions server in the test's own process. ../run.py has a starter of such processes and an etcd.
package fixtures

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	serveroptions "k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	servertesting "k8s.io/apiextensions-apiserver/pkg/cmd/server/testing"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const (
	token  = "of-the-test"
	within = time.Minute
)

// Plugins that a server of definitions alone does not have either, so that objects need no namespace.
const withoutPlugins = "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy"

// started is a server that runs, until the connection to its starter ends.
type started struct {
	folder  string
	prefix  string
	process *net.UnixConn
	config  *rest.Config
}

// StartDefaultServer starts a test server; its options name the store.
func StartDefaultServer(t servertesting.Logger, flags ...string) (func(), *rest.Config, *serveroptions.CustomResourceDefinitionsServerOptions, error) {
	server, err := start(t, flags)
	if err != nil {
		return nil, nil, nil, err
	}
	return server.stop, server.config, server.options(), nil
}

// StartDefaultServerWithConfigAccess starts a test server; the configuration has how to reach the store, nothing else.
func StartDefaultServerWithConfigAccess(t servertesting.Logger, flags ...string) (func(), *rest.Config, apiserver.CompletedConfig, error) {
	server, err := start(t, flags)
	if err != nil {
		return nil, nil, apiserver.CompletedConfig{}, err
	}
	generic := genericapiserver.NewRecommendedConfig(apiserver.Codecs)
	generic.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	generic.ExternalAddress = strings.TrimPrefix(server.config.Host, "https://")
	generic.RESTOptionsGetter = serveroptions.NewCRDRESTOptionsGetter(*server.options().RecommendedOptions.Etcd, nil, nil)
	config := apiserver.Config{GenericConfig: generic}
	return server.stop, server.config, config.Complete(), nil
}

// StartDefaultServerWithClients starts a test server and returns clients for it.
func StartDefaultServerWithClients(t servertesting.Logger, flags ...string) (func(), clientset.Interface, dynamic.Interface, error) {
	server, err := start(t, flags)
	if err != nil {
		return nil, nil, nil, err
	}
	definitions, objects, err := server.clients()
	return server.stop, definitions, objects, err
}

// StartDefaultServerWithClientsAndEtcd starts a test server and returns clients for it and for its store.
func StartDefaultServerWithClientsAndEtcd(t servertesting.Logger, flags ...string) (func(), clientset.Interface, dynamic.Interface, *clientv3.Client, string, error) {
	server, err := start(t, flags)
	if err != nil {
		return nil, nil, nil, nil, "", err
	}
	definitions, objects, err := server.clients()
	if err != nil {
		server.stop()
		return nil, nil, nil, nil, "", err
	}
	store, err := clientv3.New(clientv3.Config{Endpoints: IntegrationEtcdServers(), DialTimeout: within})
	if err != nil {
		server.stop()
		return nil, nil, nil, nil, "", err
	}
	return server.stop, definitions, objects, store, server.prefix, nil
}

// IntegrationEtcdServers returns the URL of the etcd of all servers, each of which has a prefix of its own.
func IntegrationEtcdServers() []string { return []string{os.Getenv("KUBE_INTEGRATION_ETCD_URL")} }

func (server *started) options() *serveroptions.CustomResourceDefinitionsServerOptions {
	options := serveroptions.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	options.RecommendedOptions.Etcd.StorageConfig.Prefix = server.prefix
	options.RecommendedOptions.Etcd.StorageConfig.Transport.ServerList = IntegrationEtcdServers()
	return options
}

func (server *started) clients() (clientset.Interface, dynamic.Interface, error) {
	definitions, err := clientset.NewForConfig(server.config)
	if err != nil {
		return nil, nil, err
	}
	objects, err := dynamic.NewForConfig(server.config)
	return definitions, objects, err
}

// start waits until the API is ready. Tests of features that are off, or of other versions, are left out.
func start(t servertesting.Logger, flags []string) (*started, error) {
	leaveOut(t, flags)
	folder, err := os.MkdirTemp("", "apiextensions")
	if err != nil {
		return nil, err
	}
	server := &started{folder: folder, prefix: uuid.NewString()}
	if err := server.begin(flags); err != nil {
		server.stop()
		return nil, err
	}
	t.Logf("Kybern listens at %s, its log is %s", server.config.Host, server.log())
	return server, nil
}

func leaveOut(t servertesting.Logger, flags []string) {
	test, ok := t.(interface{ Skipf(string, ...any) })
	if !ok {
		return
	}
	gates := utilfeature.DefaultMutableFeatureGate
	for name, spec := range gates.GetAll() {
		if gates.Enabled(name) != spec.Default {
			test.Skipf("left out: feature gates %s=%t", name, !spec.Default)
		}
	}
	for _, flag := range flags {
		if strings.HasPrefix(flag, "--feature-gates") || strings.HasPrefix(flag, "--emulated-version") {
			test.Skipf("left out: %s", flag)
		}
	}
}

func (server *started) begin(flags []string) error {
	port := freePort()
	server.config = &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", port),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		QPS:             -1,
	}
	tokens := filepath.Join(server.folder, "tokens")
	if err := os.WriteFile(tokens, []byte(token+",system:apiserver,,system:masters\n"), 0o600); err != nil {
		return err
	}
	arguments := []string{
		"--etcd-servers=" + strings.Join(IntegrationEtcdServers(), ","), "--etcd-prefix=" + server.prefix,
		"--cert-dir=" + server.folder, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--token-auth-file=" + tokens, "--enable-priority-and-fairness=false", "--disable-admission-plugins=" + withoutPlugins,
	}
	given := map[string]any{"arguments": append(arguments, flags...), "folder": server.folder, "log": server.log()}
	request, err := json.Marshal(given)
	if err != nil {
		return err
	}
	server.process, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Getenv("KYBERN_STARTER"), Net: "unix"})
	if err != nil {
		return err
	}
	if _, err := server.process.Write(append(request, '\n')); err != nil {
		return err
	}
	return server.await()
}

func (server *started) log() string { return filepath.Join(server.folder, "kube-apiserver.log") }

func (server *started) await() error {
	transport, err := rest.TransportFor(server.config)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err := client.Get(server.config.Host + "/api/v1/namespaces/default")
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	said, _ := os.ReadFile(server.log())
	return fmt.Errorf("the server is not ready: %s", said)
}

// stop waits until the process has ended.
func (server *started) stop() {
	if server.process != nil {
		server.process.CloseWrite()
		io.Copy(io.Discard, server.process)
		server.process.Close()
	}
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
