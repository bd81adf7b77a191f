package testing

// What both ways to start a server in a test have in common here: a process of Kybern instead of a server in this one.

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/component-base/featuregate"

	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const (
	starterVariable  = "KYBERN_STARTER"       // the socket of starter.py
	everyVariable    = "KYBERN_EVERY_FEATURE" // set: run tests of features that are off by default, too
	loopbackName     = "apiserver-loopback-client"
	leftOut          = "left out: "
	issuer           = "https://foo.bar.example.com"
	startWithin      = 30 * time.Second
	endWithin        = 25 * time.Second
	lookEvery        = 20 * time.Millisecond
	linesOfLogToTell = 8
)

var (
	pairOnce          sync.Once
	pairCert, pairKey []byte
	pairError         error
)

// ServingPair is a certificate for servers on this host, the same for all of this process.
func ServingPair() ([]byte, []byte, error) {
	pairOnce.Do(func() {
		names := []string{"localhost", loopbackName, "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
		ips := []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP("10.0.0.1")}
		pairCert, pairKey, pairError = cert.GenerateSelfSignedCertKey("127.0.0.1", ips, names)
	})
	return pairCert, pairKey, pairError
}

// Skipper is the part of a test that can leave itself out.
type Skipper interface {
	Helper()
	Skipf(format string, args ...any)
}

// LeaveOut skips a test that cannot be asked of another process.
func LeaveOut(t Skipper, format string, args ...any) {
	t.Helper()
	t.Skipf(leftOut+format, args...)
}

// LeaveOutFeatures skips a test that has changed a feature gate or the version to emulate.
func LeaveOutFeatures(t Skipper) {
	t.Helper()
	if os.Getenv(everyVariable) != "" {
		return
	}
	gate := utilfeature.DefaultMutableFeatureGate
	var changed []string
	for name, spec := range gate.GetAll() {
		if gate.Enabled(name) != spec.Default {
			changed = append(changed, fmt.Sprintf("%s=%t", name, !spec.Default))
		}
	}
	if len(changed) > 0 {
		sort.Strings(changed)
		LeaveOut(t, "feature gates %s", strings.Join(changed, ","))
	}
}

// LeaveOutFlags skips a test whose flags ask for features or APIs that are off by default.
func LeaveOutFlags(t Skipper, flags []string) {
	t.Helper()
	if os.Getenv(everyVariable) != "" {
		return
	}
	specs := utilfeature.DefaultMutableFeatureGate.GetAll()
	for _, flag := range flags {
		name, value, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		switch name {
		case "emulated-version", "min-compatibility-version", "peer-ca-file":
			LeaveOut(t, "--%s=%s", name, value)
		case "feature-gates":
			for _, pair := range strings.Split(value, ",") {
				key, on, _ := strings.Cut(pair, "=")
				if spec, ok := specs[featuregate.Feature(key)]; pair != "" && (!ok || spec.Default != (on == "true")) {
					LeaveOut(t, "feature gates %s", pair)
				}
			}
		case "runtime-config":
			for _, pair := range strings.Split(value, ",") {
				key, on, _ := strings.Cut(pair, "=")
				unstable := strings.Contains(key, "alpha") || strings.Contains(key, "beta")
				if on == "false" || unstable && strings.Contains(key, "/") {
					LeaveOut(t, "--runtime-config=%s", pair)
				}
			}
		}
	}
}

// Joined are flags, each with its value; a test may have given some values apart.
func Joined(flags []string) []string {
	var joined []string
	for _, flag := range flags {
		last := len(joined) - 1
		switch {
		case flag == "":
		case strings.HasPrefix(flag, "-") || last < 0 || strings.Contains(joined[last], "="):
			joined = append(joined, flag)
		default:
			joined[last] += "=" + flag
		}
	}
	return joined
}

// StorageFlags name an etcd and where in it.
func StorageFlags(config *storagebackend.Config) []string {
	flags := []string{
		"--etcd-servers=" + strings.Join(config.Transport.ServerList, ","),
		"--etcd-prefix=" + config.Prefix,
	}
	for name, value := range map[string]string{
		"etcd-cafile": config.Transport.TrustedCAFile, "etcd-certfile": config.Transport.CertFile,
		"etcd-keyfile": config.Transport.KeyFile,
	} {
		if value != "" {
			flags = append(flags, fmt.Sprintf("--%s=%s", name, value))
		}
	}
	return flags
}

// FlagsOf are the flags that differ from the defaults in what a test has made of the options.
func FlagsOf(changed *options.ServerRunOptions) []string {
	defaults := map[string]string{}
	eachFlag(options.NewServerRunOptions(), func(flag *pflag.Flag) { defaults[flag.Name] = flag.Value.String() })
	var flags []string
	eachFlag(changed, func(flag *pflag.Flag) {
		value := flag.Value.String()
		if value == defaults[flag.Name] || flag.Name == "feature-gates" {
			return
		}
		if strings.HasPrefix(value, "[") && strings.HasSuffix(value, "]") {
			value = value[1 : len(value)-1]
		}
		flags = append(flags, fmt.Sprintf("--%s=%s", flag.Name, value))
	})
	return flags
}

func eachFlag(of *options.ServerRunOptions, visit func(*pflag.Flag)) {
	named := of.Flags()
	for _, set := range named.FlagSets {
		set.VisitAll(visit)
	}
}

// withLoopback has the server know a token of its own administrator beside the tokens of a test.
func withLoopback(folder string, flags []string) ([]string, string, error) {
	token := uuid.NewString()
	path := filepath.Join(folder, "loopback-tokens.csv")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	var kept []string
	for _, flag := range flags {
		given, ok := strings.CutPrefix(flag, "--token-auth-file=")
		if !ok {
			kept = append(kept, flag)
			continue
		}
		tokens, err := os.ReadFile(given)
		if err != nil {
			return nil, "", err
		}
		fmt.Fprintln(file, strings.TrimSpace(string(tokens)))
	}
	writer := csv.NewWriter(file)
	if err := writer.Write([]string{token, "system:apiserver", uuid.NewString(), "system:masters"}); err != nil {
		return nil, "", err
	}
	writer.Flush()
	return append(kept, "--token-auth-file="+path), token, writer.Error()
}

// Process is a server that runs.
type Process struct {
	connection *net.UnixConn
	log        string
	ended      chan struct{}
	status     string
}

// StartProcess has the starter begin a server.
func StartProcess(log string, flags []string) (*Process, error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(map[string]any{"arguments": flags, "folder": folder, "log": log})
	if err != nil {
		return nil, err
	}
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Getenv(starterVariable), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("no starter at $%s (tests/integration/run.py): %w", starterVariable, err)
	}
	if _, err := connection.Write(append(request, '\n')); err != nil {
		return nil, err
	}
	process := &Process{connection: connection, log: log, ended: make(chan struct{})}
	go func() {
		defer close(process.ended)
		process.status, _ = bufio.NewReader(connection).ReadString('\n')
		connection.Close()
	}()
	return process, nil
}

// Stop ends the server and waits for its end.
func (p *Process) Stop() {
	p.connection.CloseWrite()
	select {
	case <-p.ended:
	case <-time.After(endWithin):
		p.connection.Close()
		<-p.ended
	}
}

// failure is what the server said before it ended by itself; nil while it runs.
func (p *Process) failure() error {
	select {
	case <-p.ended:
		text, _ := os.ReadFile(p.log)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(lines) > linesOfLogToTell {
			lines = lines[len(lines)-linesOfLogToTell:]
		}
		return errors.New(strings.Join(lines, "\n"))
	default:
		return nil
	}
}

// Await waits until the server answers /healthz (unless told not to) and its default namespace is there.
func (p *Process) Await(config *restclient.Config, skipHealth bool) error {
	probing := restclient.CopyConfig(config)
	probing.Timeout = 5 * time.Second
	probing.QPS, probing.Burst = 1000, 1000
	probing.ContentType, probing.AcceptContentTypes = "", ""
	client, err := kubernetes.NewForConfig(probing)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(startWithin)
	var last error
	for healthy := skipHealth; ; {
		if failure := p.failure(); failure != nil {
			return failure
		}
		if !healthy {
			last = client.CoreV1().RESTClient().Get().AbsPath("/healthz").Do(context.Background()).Error()
			healthy = last == nil
		}
		if healthy {
			_, last = client.CoreV1().Namespaces().Get(context.Background(), "default", metav1.GetOptions{})
			if last == nil {
				_, last = client.CoreV1().Namespaces().Get(context.Background(), "kube-system", metav1.GetOptions{})
			}
			if last == nil {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server is not ready: %w", last)
		}
		time.Sleep(lookEvery)
	}
}
