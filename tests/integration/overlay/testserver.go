package testing

// Stands in for cmd/kube-apiserver/app/testing/testserver.go: the same names, and a process of Kybern behind them.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storageversion"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	logsapi "k8s.io/component-base/logs/api/v1"

	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	testutil "k8s.io/kubernetes/test/utils"
	"k8s.io/kubernetes/test/utils/ktesting"
)

func init() {
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
}

// The key that tests sign and verify tokens of ServiceAccounts with; they know it.
const ecdsaPrivateKey = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIEZmTmUhuanLjPA2CLquXivuwBDHTt5XYwgIr/kA1LtRoAoGCCqGSM49
AwEHoUQDQgAEH6cuzP8XuD5wal6wf9M6xDljTOPLX2i8uIp/C/ASqiIGUeeKQtX0
/IR3qCXyThP/dbCiHrF3v1cuhBOHY8CLVg==
-----END EC PRIVATE KEY-----`

// Of the attempts to start a server: it is started again if its etcd was too slow for it.
const attempts = 3

var slowEtcd = []string{"no etcd member answers", "Deadline Exceeded"}

// TearDownFunc ends a server.
type TearDownFunc func()

// TestServerInstanceOptions are what a test wants of its server beside flags.
type TestServerInstanceOptions struct {
	SkipHealthzCheck       bool
	EnableCertAuth         bool
	StorageVersionWrapFunc func(storageversion.Manager) storageversion.Manager
	ProxyCA                *ProxyCA
	BinaryVersion          string
	RequestTimeout         time.Duration
}

// TestServer is a server that has been started.
type TestServer struct {
	ClientConfig      *restclient.Config
	ServerOpts        *options.ServerRunOptions
	TearDownFn        TearDownFunc
	TmpDir            string
	EtcdClient        *clientv3.Client
	EtcdStoragePrefix string
}

// Logger is what is needed of a test or a benchmark.
type Logger interface {
	Helper()
	Errorf(format string, args ...interface{})
	Fatalf(format string, args ...interface{})
	Logf(format string, args ...interface{})
	Cleanup(func())
}

// ProxyCA is the authority of front proxies.
type ProxyCA struct {
	ProxySigningCert *x509.Certificate
	ProxySigningKey  *rsa.PrivateKey
}

// NewDefaultTestServerOptions has client certificates.
func NewDefaultTestServerOptions() *TestServerInstanceOptions {
	return &TestServerInstanceOptions{EnableCertAuth: true}
}

// StartTestServer starts Kybern with a test's flags, and returns when it is ready.
func StartTestServer(t ktesting.TB, instance *TestServerInstanceOptions, customFlags []string, storage *storagebackend.Config) (result TestServer, err error) {
	t.Helper()
	if instance == nil {
		instance = NewDefaultTestServerOptions()
	}
	if instance.BinaryVersion != "" || instance.StorageVersionWrapFunc != nil {
		LeaveOut(t, "another version of the server, or of its storage versions")
	}
	customFlags = Joined(customFlags)
	LeaveOutFeatures(t)
	LeaveOutFlags(t, customFlags)

	s := options.NewServerRunOptions()
	s.Etcd.StorageConfig = *storage
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	named := s.Flags()
	for _, some := range named.FlagSets {
		set.AddFlagSet(some)
	}
	if err := set.Parse(customFlags); err != nil {
		return result, err
	}

	folder, err := os.MkdirTemp("", "kybern-apiserver")
	if err != nil {
		return result, err
	}
	flags, err := writeFiles(folder, instance)
	if err != nil {
		os.RemoveAll(folder)
		return result, err
	}
	if instance.RequestTimeout > 0 {
		flags = append(flags, "--request-timeout="+instance.RequestTimeout.String())
	}
	for _, flag := range customFlags {
		if !settled(flag) {
			flags = append(flags, flag)
		}
	}
	return StartWithFlags(folder, instance.SkipHealthzCheck, s, flags)
}

// StartWithFlags starts Kybern with these flags, and those of a storage, a port and a certificate.
func StartWithFlags(folder string, skipHealth bool, s *options.ServerRunOptions, flags []string) (result TestServer, err error) {
	var process *Process
	tearDown := func() {
		if process != nil {
			process.Stop()
		}
		os.RemoveAll(folder)
	}
	defer func() {
		if result.TearDownFn == nil {
			tearDown()
		}
	}()
	trust, err := writeServing(folder, s)
	if err != nil {
		return result, err
	}
	port, err := freePort()
	if err != nil {
		return result, err
	}
	s.SecureServing.BindPort, s.SecureServing.BindAddress = port, net.ParseIP("127.0.0.1")
	s.SecureServing.ExternalAddress = net.ParseIP("127.0.0.1")
	if s.GenericServerRunOptions.AdvertiseAddress == nil {
		s.GenericServerRunOptions.AdvertiseAddress = net.ParseIP("127.0.0.1")
	}
	flags = append(flags, StorageFlags(&s.Etcd.StorageConfig)...)
	flags = append(flags, "--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(port), "--cert-dir="+folder)
	flags, token, err := withLoopback(folder, flags)
	if err != nil {
		return result, err
	}
	config := &restclient.Config{
		Host:            "https://127.0.0.1:" + strconv.Itoa(port),
		BearerToken:     token,
		TLSClientConfig: *trust,
		QPS:             1000,
		Burst:           10000,
	}
	for attempt := 1; ; attempt++ {
		if process, err = StartProcess(filepath.Join(folder, "kybern.log"), flags); err != nil {
			return result, err
		}
		err = process.Await(config, skipHealth)
		if err == nil {
			break
		}
		said := err.Error()
		slow := slices.ContainsFunc(slowEtcd, func(words string) bool { return strings.Contains(said, words) })
		if attempt == attempts || !slow {
			return result, err
		}
		process.Stop()
	}
	etcd, _, err := GetEtcdClients(s.Etcd.StorageConfig.Transport)
	if err != nil {
		return result, fmt.Errorf("create etcd client: %w", err)
	}
	result = TestServer{
		ClientConfig: config, ServerOpts: s, TmpDir: folder, EtcdClient: etcd,
		EtcdStoragePrefix: s.Etcd.StorageConfig.Prefix,
	}
	result.TearDownFn = func() {
		tearDown()
		etcd.Close()
	}
	return result, nil
}

// StartTestServerOrDie ends the test if the server does not start.
func StartTestServerOrDie(t testing.TB, instance *TestServerInstanceOptions, flags []string, storage *storagebackend.Config) *TestServer {
	t.Helper()
	result, err := StartTestServer(t, instance, flags, storage)
	if err != nil {
		t.Fatalf("failed to launch server: %v", err)
	}
	return &result
}

// settled tells flags that say what is decided here whatever a test wants, or what is given in another form.
func settled(flag string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	switch name {
	case "service-account-issuer", "service-account-key-file", "service-account-signing-key-file", "feature-gates",
		"runtime-config", "etcd-servers", "etcd-prefix", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "secure-port",
		"bind-address", "cert-dir":
		return true
	}
	return false
}

// writeServing makes the certificate of the port, unless a test has one, and returns what a client trusts.
func writeServing(folder string, s *options.ServerRunOptions) (*restclient.TLSClientConfig, error) {
	certificate, key, err := ServingPair()
	if err != nil {
		return nil, err
	}
	s.SecureServing.ServerCert.CertDirectory = folder
	crt, own := filepath.Join(folder, "apiserver.crt"), filepath.Join(folder, "apiserver.key")
	if err := os.WriteFile(crt, certificate, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(own, key, 0o600); err != nil {
		return nil, err
	}
	pair := &s.SecureServing.ServerCert.CertKey
	if pair.CertFile != "" { // there is no second certificate for the loopback
		return &restclient.TLSClientConfig{Insecure: true}, nil
	}
	pair.CertFile, pair.KeyFile = crt, own
	return &restclient.TLSClientConfig{CAData: certificate, ServerName: loopbackName}, nil
}

// WriteSigningKey writes the key that tokens of ServiceAccounts are signed with.
func WriteSigningKey(path string) error {
	return os.WriteFile(path, []byte(ecdsaPrivateKey), 0o600)
}

// writeFiles makes keys and certificates, and returns the flags that name them.
func writeFiles(folder string, instance *TestServerInstanceOptions) ([]string, error) {
	signing := filepath.Join(folder, "service-account.key")
	if err := WriteSigningKey(signing); err != nil {
		return nil, err
	}
	flags := []string{
		"--service-account-issuer=" + issuer, "--service-account-key-file=" + signing,
		"--service-account-signing-key-file=" + signing, "--service-cluster-ip-range=10.0.0.0/16",
	}
	if !instance.EnableCertAuth {
		return flags, nil
	}
	more, err := WriteAuthorities(folder, instance.ProxyCA)
	return append(append(flags, more...),
		"--requestheader-allowed-names=ash,misty,brock", "--requestheader-username-headers=x-remote-user",
		"--requestheader-group-headers=x-remote-group", "--requestheader-uid-headers=x-remote-uid",
		"--requestheader-extra-headers-prefix=x-remote-extra-"), err
}

// WriteAuthorities makes authorities for clients and front proxies, and a certificate of the server as one of these.
func WriteAuthorities(folder string, given *ProxyCA) ([]string, error) {
	var flags []string
	authority := func(name string) (*x509.Certificate, any, error) {
		if name == "front-proxy-ca" && given != nil {
			return given.ProxySigningCert, given.ProxySigningKey, nil
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: name}, key)
		return certificate, key, err
	}
	proxy, proxyKey, err := authority("front-proxy-ca")
	if err != nil {
		return nil, err
	}
	clients, _, err := authority("client-ca")
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(math.MaxInt64-1))
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject:      pkix.Name{CommonName: "misty"},
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		NotBefore:    proxy.NotBefore, NotAfter: time.Now().Add(10_000 * time.Hour),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, proxy, key.Public(), proxyKey)
	if err != nil {
		return nil, err
	}
	own, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyText, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		flag, name string
		data       []byte
	}{
		{"requestheader-client-ca-file", "proxy-ca.crt", testutil.EncodeCertPEM(proxy)},
		{"client-ca-file", "client-ca.crt", testutil.EncodeCertPEM(clients)},
		{"proxy-client-cert-file", "misty-crt.crt", testutil.EncodeCertPEM(own)},
		{"proxy-client-key-file", "misty-crt.key", keyText},
	} {
		path := filepath.Join(folder, file.name)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			return nil, err
		}
		flags = append(flags, "--"+file.flag+"="+path)
	}
	return flags, nil
}

// GetEtcdClients connects to an etcd.
func GetEtcdClients(config storagebackend.TransportConfig) (*clientv3.Client, clientv3.KV, error) {
	var secure *tls.Config
	if config.CertFile+config.KeyFile+config.TrustedCAFile != "" {
		files := transport.TLSInfo{CertFile: config.CertFile, KeyFile: config.KeyFile, TrustedCAFile: config.TrustedCAFile}
		var err error
		if secure, err = files.ClientConfig(); err != nil {
			return nil, nil, err
		}
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: config.ServerList, DialTimeout: 20 * time.Second, TLS: secure,
		DialOptions: []grpc.DialOption{grpc.WithBlock()},
	})
	if err != nil {
		return nil, nil, err
	}
	return client, clientv3.NewKV(client), nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
