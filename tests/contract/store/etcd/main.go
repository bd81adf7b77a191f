// etcd, built from its Go module where the distribution's is older than what the tests want to see as well.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
