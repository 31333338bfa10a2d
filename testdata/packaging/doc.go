// Package packaging holds what is in packaging/ to the deployment guide and to the binary: units, compose file and manifests
// contain all that the guide's contain (its texts are in guide), name only flags and configuration keys that exist, and refer
// to nothing that is not there. It starts nothing but the binary, which gets no further than its command line. "make compose-check" runs it.
package packaging
