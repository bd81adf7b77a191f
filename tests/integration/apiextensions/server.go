// Package fixtures starts the server that the tests ask: Kybern's whole API in a process of its own, where the original
// starts an apiextensions server in the test's own process.
//
// KYBERN_PROGRAMS is a folder of `kybern envtest`, KYBERN_ETCD a real etcd for tests that look into the store; without
// it, and for the other tests, objects are in SQLite.
package fixtures

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	serveroptions "k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	servertesting "k8s.io/apiextensions-apiserver/pkg/cmd/server/testing"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const (
	token  = "of-the-test"
	within = time.Minute
	prefix = "registry"
)

// Plugins that a server of definitions alone does not have either, so that objects need no namespace.
const withoutPlugins = "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy"

// started is a running pair of store and API.
type started struct {
	folder    string
	processes []*exec.Cmd // the API last
	config    *rest.Config
	etcd      string
}

// StartDefaultServer starts a test server; its options name the store.
func StartDefaultServer(t servertesting.Logger, flags ...string) (func(), *rest.Config, *serveroptions.CustomResourceDefinitionsServerOptions, error) {
	server, err := start(t, true, flags)
	if err != nil {
		return nil, nil, nil, err
	}
	return server.stop, server.config, server.options(), nil
}

// StartDefaultServerWithConfigAccess starts a test server; the configuration has how to reach the store, nothing else.
func StartDefaultServerWithConfigAccess(t servertesting.Logger, flags ...string) (func(), *rest.Config, apiserver.CompletedConfig, error) {
	server, err := start(t, true, flags)
	if err != nil {
		return nil, nil, apiserver.CompletedConfig{}, err
	}
	generic := genericapiserver.NewRecommendedConfig(apiserver.Codecs)
	generic.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	generic.ExternalAddress = server.config.Host
	generic.RESTOptionsGetter = serveroptions.NewCRDRESTOptionsGetter(*server.options().RecommendedOptions.Etcd, nil, nil)
	config := apiserver.Config{GenericConfig: generic}
	return server.stop, server.config, config.Complete(), nil
}

// StartDefaultServerWithClients starts a test server and returns clients for it.
func StartDefaultServerWithClients(t servertesting.Logger, flags ...string) (func(), clientset.Interface, dynamic.Interface, error) {
	server, err := start(t, false, flags)
	if err != nil {
		return nil, nil, nil, err
	}
	definitions, objects, err := server.clients()
	return server.stop, definitions, objects, err
}

// StartDefaultServerWithClientsAndEtcd starts a test server and returns clients for it and for its store.
func StartDefaultServerWithClientsAndEtcd(t servertesting.Logger, flags ...string) (func(), clientset.Interface, dynamic.Interface, *clientv3.Client, string, error) {
	server, err := start(t, true, flags)
	if err != nil {
		return nil, nil, nil, nil, "", err
	}
	definitions, objects, err := server.clients()
	if err != nil {
		server.stop()
		return nil, nil, nil, nil, "", err
	}
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{server.etcd}, DialTimeout: within})
	if err != nil {
		server.stop()
		return nil, nil, nil, nil, "", err
	}
	return server.stop, definitions, objects, store, prefix, nil
}

// IntegrationEtcdServers returns the URLs of the etcd that is shared; there is none.
func IntegrationEtcdServers() []string { return nil }

func (server *started) options() *serveroptions.CustomResourceDefinitionsServerOptions {
	options := serveroptions.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	options.RecommendedOptions.Etcd.StorageConfig.Prefix = prefix
	options.RecommendedOptions.Etcd.StorageConfig.Transport.ServerList = []string{server.etcd}
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

// start waits until the API is ready. A test that wants to look into the store gets a real etcd.
func start(t servertesting.Logger, looks bool, flags []string) (*started, error) {
	folder, err := os.MkdirTemp("", "kybern-apiextensions")
	if err != nil {
		return nil, err
	}
	server := &started{folder: folder}
	if err := server.begin(looks, flags); err != nil {
		server.stop()
		return nil, err
	}
	t.Logf("Kybern listens at %s, its store at %s", server.config.Host, server.etcd)
	return server, nil
}

func (server *started) begin(looks bool, flags []string) error {
	programs := os.Getenv("KYBERN_PROGRAMS")
	store := filepath.Join(programs, "etcd")
	if real := os.Getenv("KYBERN_ETCD"); looks && real != "" {
		store = real
	}
	clients, peers, port := freePort(), freePort(), freePort()
	server.etcd = fmt.Sprintf("http://127.0.0.1:%d", clients)
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
	peer := fmt.Sprintf("http://127.0.0.1:%d", peers)
	err := server.run(server.etcd+"/health", store,
		"--data-dir", filepath.Join(server.folder, "data"), "--unsafe-no-fsync",
		"--listen-client-urls", server.etcd, "--advertise-client-urls", server.etcd, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	if err != nil {
		return err
	}
	arguments := []string{
		"--etcd-servers", server.etcd, "--cert-dir", server.folder, "--bind-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(port), "--token-auth-file", tokens,
		"--enable-priority-and-fairness=false", "--disable-admission-plugins", withoutPlugins,
	}
	return server.run(server.config.Host+"/healthz", filepath.Join(programs, "kube-apiserver"), append(arguments, flags...)...)
}

// run starts a program and waits until it says at an address that it is well.
func (server *started) run(address, program string, arguments ...string) error {
	said, err := os.Create(filepath.Join(server.folder, filepath.Base(program)+".log"))
	if err != nil {
		return err
	}
	defer said.Close()
	process := exec.Command(program, arguments...)
	process.Stdout, process.Stderr = said, said
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := process.Start(); err != nil {
		return err
	}
	server.processes = append(server.processes, process)
	transport, err := rest.TransportFor(server.config)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		answer, err := client.Get(address)
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	words, _ := os.ReadFile(said.Name())
	return fmt.Errorf("%s %s is not well: %s", program, strings.Join(arguments, " "), words)
}

func (server *started) stop() {
	for index := len(server.processes) - 1; index >= 0; index-- {
		process := server.processes[index]
		process.Process.Signal(syscall.SIGTERM)
		process.Wait()
	}
	if os.Getenv("KYBERN_KEEP") == "" {
		os.RemoveAll(server.folder)
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
