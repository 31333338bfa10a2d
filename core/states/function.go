package states

import "context"

// Function is one state function.
type Function struct {
	// Name is module.function, as in file.managed.
	Name string
	// Doc says what the function does, in one line.
	Doc    string
	Params []Param
	// Open functions take arguments that Params does not list.
	Open bool
	// Apply reads the host, compares, and unless call.Test applies what differs. An error is a failed state whose
	// comment is the error's text; changes made before it are returned in the Result beside the error.
	Apply func(ctx context.Context, call *Call) (Result, error)
	// Watch runs after an Apply without changes, failed or not, when a watched state has changed, and for listen. Without it,
	// watch is require.
	Watch func(ctx context.Context, call *Call) (Result, error)
	// Mutex names the global lock this function takes: functions of one family never run side by side.
	Mutex string
}

// Outcome of a state.
type Outcome uint8

const (
	// Failed is Salt's False.
	Failed Outcome = iota
	// Succeeded is Salt's True.
	Succeeded
	// WouldChange is Salt's None: a test run found something to change.
	WouldChange
)

// Data returns the outcome as true, false or nil.
func (o Outcome) Data() any {
	switch o {
	case Succeeded:
		return true
	case WouldChange:
		return nil
	}
	return false
}

// Result is what a state function found and did.
type Result struct {
	Outcome Outcome
	// Changes is plain data, empty when there is nothing to change: {"mode": {"old": "0600", "new": "0644"}}.
	Changes map[string]any
	Comment string
	// Warnings are printed beside the comment.
	Warnings []string
	// SkipWatch keeps Watch from running although a watched state has changed.
	SkipWatch bool
}

// Call is one application of a state function.
type Call struct {
	ID, SLS, Name string
	// Function is module.function.
	Function string
	// Test asks what would change; nothing may be written.
	Test bool
	// Args are the arguments under their declared names, with name always present.
	Args Args
	// Watched has the changes of the watched states, by "module: name", when Watch is called.
	Watched map[string]any
	// Vars returns the variables of the SLS file, for templates that the state renders. The map is the caller's own.
	Vars func() map[string]any
	// Required returns the states that this one requires.
	Required func() []Reference
}

// Reference is another state of the plan.
type Reference struct {
	Function, Name string // Function is module.function
}

// Changed returns the Result of a state that differs: Succeeded, or WouldChange in a test run.
func (c *Call) Changed(changes map[string]any, comment string) Result {
	outcome := Succeeded
	if c.Test {
		outcome = WouldChange
	}
	return Result{Outcome: outcome, Changes: changes, Comment: comment}
}

// Kind is what a Function is called in errors.
func (*Function) Kind() string { return "state function" }

// Called is the name.
func (f *Function) Called() string { return f.Name }

// Registry holds state functions by name. It is safe for concurrent use.
type Registry = Table[*Function]
