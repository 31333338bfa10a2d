package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports from firstPort on and below lastPort are not among those that kernels give to whoever connects or listens
// without naming one, which could be any process of the host at any moment.
const firstPort, lastPort = 20000, 32000

// FreePort finds a TCP port for a server that is to be started later, or stopped and started again. Nobody takes
// it meanwhile by chance, and until release no other caller of FreePort is given it, in whichever process.
func FreePort() (port int, release func(), err error) {
	for range 1000 {
		port := firstPort + rand.N(lastPort-firstPort)
		mark, err := net.Listen("unix", fmt.Sprintf("@zester-port-%d", port)) // an abstract name: no file, and gone with the process
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			return port, func() { mark.Close() }, nil
		}
		mark.Close()
	}
	return 0, nil, errors.New("no free port was found from 20000 to 31999")
}
