package config

import "io"

// Stdio is what a program reads from and writes to in place of the process's own streams, so that a test can run it.
type Stdio struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}
