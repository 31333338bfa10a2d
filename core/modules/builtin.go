package modules

import (
	"maps"
	"slices"
	"sync"

	"github.com/ptorbus/zester/core/states"
)

var builtin struct {
	once     sync.Once
	registry *Registry
}

// Builtin returns the registry of every execution function, under its own name and Salt's. It is one registry, made
// once; callers that want to add functions make their own with NewRegistry.
func Builtin() *Registry {
	builtin.once.Do(func() { builtin.registry = NewRegistry() })
	return builtin.registry
}

// NewRegistry returns a new registry with every execution function.
func NewRegistry() *Registry {
	r := &Registry{}
	registerTest(r)
	registerCmd(r)
	registerFacts(r)
	registerSettings(r)
	registerNetwork(r)
	registerDisk(r)
	registerStatus(r)
	registerBasket(r)
	registerMatch(r)
	registerFileQueries(r)
	registerFileChanges(r)
	registerHost(r)
	registerSys(r)
	registerSync(r)
	registerState(r)
	registerLint(r)
	return r
}

// States returns a registry of every state function, bound to env.
func States(env *Env) *states.Registry {
	r := &states.Registry{}
	r.Register(testStates(env)...)
	r.Register(cmdStates(env)...)
	r.Register(newFileStates(env)...)
	r.Register(accountStates(env)...)
	r.Register(pkgStates(env)...)
	r.Register(pkgrepoStates(env)...)
	r.Register(serviceStates(env)...)
	r.Register(hostStates(env)...)
	r.Register(sysctlStates(env)...)
	r.Register(cronStates(env)...)
	r.Register(sshStates(env)...)
	r.Register(archiveStates(env)...)
	r.Register(gitStates(env)...)
	r.Register(localeStates(env)...)
	r.Register(mountStates(env)...)
	r.Register(alternativesStates(env)...)
	r.Register(environStates(env)...)
	return r
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
