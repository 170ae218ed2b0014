// Command etcd is etcd's own server: the module that it lies in has no main package that can be built from here.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
