// Package document reads YAML as Salt does and keeps what a Go map loses: where a value stands, and the order of keys.
//
// Parse gives the nodes of one document with their lines; a Reader makes data of nodes: ordered mappings (Map), or plain
// ones where nobody will ask for the order. Scalars are those of YAML 1.1 as Salt's loader takes them (Implicit). A key that
// is there twice is an error, and so is a second document. What aliases expand to and how deep values nest is bounded.
// Errors are *Error, which tells the line and leaves the name of the file to the caller.
//
// Reading is linear in the text. A Map that is no longer changed is safe for concurrent use; a Reader is not.
package document
