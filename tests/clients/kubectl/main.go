// The real kubectl, built from its own module, so that the tests have the version they name.
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	streams := genericclioptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(cli.Run(cmd.NewDefaultKubectlCommandWithArgs(cmd.KubectlOptions{IOStreams: streams, Arguments: os.Args})))
}
