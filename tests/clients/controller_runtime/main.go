// An operator on controller-runtime: leader election, cached informers, an index, a reconciler of Sites that owns
// Deployments. At its end it prints how the API server answered it.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// answers counts answers by resource and content type, and watches that began with a list of what there is.
type answers struct {
	mutex      sync.Mutex
	ByType     map[string]int `json:"byType"`
	WatchLists int            `json:"watchLists"`
}

// counted is one client's way to the API server.
type counted struct {
	*answers
	inner http.RoundTripper
}

func (a counted) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.inner.RoundTrip(request)
	if err == nil {
		kind := "built-in"
		if strings.Contains(request.URL.Path, "/example.com/") {
			kind = "custom"
		}
		a.mutex.Lock()
		defer a.mutex.Unlock()
		a.ByType[kind+" "+response.Header.Get("Content-Type")]++
		if request.URL.Query().Get("sendInitialEvents") == "true" && response.StatusCode == http.StatusOK {
			a.WatchLists++
		}
	}
	return response, err
}

func run(namespace string) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, addSites} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	seen := &answers{ByType: map[string]int{}}
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		return counted{seen, inner}
	})
	lease, renew, retry := 5*time.Second, 4*time.Second, 300*time.Millisecond // a busy machine may stall for seconds
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		Metrics:                       server.Options{BindAddress: "0"},
		LeaderElection:                true,
		LeaderElectionID:              name,
		LeaderElectionNamespace:       namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	})
	if err != nil {
		return err
	}
	if err := (&reconciler{manager.GetClient(), manager.GetEventRecorder(name)}).register(manager); err != nil {
		return err
	}
	go func() {
		<-manager.Elected()
		fmt.Println("leading")
	}()
	if err := manager.Start(ctrl.SetupSignalHandler()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(seen)
}

func main() {
	ctrl.SetLogger(logr.Discard())
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
