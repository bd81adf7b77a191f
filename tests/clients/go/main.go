// Programs on Kubernetes' own Go types: `golden` shows their wire forms, `zeros` which of their fields keep zero values
// in JSON, `shapes` which members of a struct come and go with them, `types` what they are called, `client` is a typed client-go client, and `compare`
// reads everything in both forms.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "golden":
		err = golden(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "shapes":
		err = shapes()
	case len(os.Args) == 2 && os.Args[1] == "types":
		err = typeNames()
	case len(os.Args) == 2 && os.Args[1] == "zeros":
		err = zeros()
	case len(os.Args) == 3 && os.Args[1] == "client":
		err = client(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "compare":
		err = compare(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: %s golden MANIFESTS | shapes | types | zeros | client NAMESPACE | compare NAMESPACE MANIFESTS", os.Args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
