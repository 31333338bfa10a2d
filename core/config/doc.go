// Package config turns a program's defaults, its YAML file, its environment and its command line into one Go struct,
// and holds the few process-facing things every package shares: streams, durable writes and name suggestions.
//
// One struct declares everything. The flag --nats-url is the key nats_url in the file and ZESTER_NATS_URL in the
// environment because all three names are derived from the field; nothing lists them a second time. Later sources win:
// defaults, file, environment, flags.
//
// What cannot be honoured is refused: an unknown key, a value of the wrong type, a file that cannot be read. Each error
// is one line that names the file and line, the flag or the variable, and says what to do.
//
// Nothing here is global: streams, environment and arguments are parameters, and every function may be called
// concurrently. The package never exits the process, never writes to the process's own streams, and does not watch
// files for changes: a program reads its settings once, when it starts.
package config
