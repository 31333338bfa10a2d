// Package states is the state language: it turns SLS files into a plan and runs the plan on this host.
//
// Compile reads SLS files (.zy by preference, .sls as well) through a Loader, renders them, reads the YAML with its
// positions, resolves include, extend, exclude and every requisite, and checks each function and argument against the
// Registry. It returns either a whole Plan or every error it found, each with file and line: a tree with a mistake in
// it never changes a host.
//
// Run walks the plan. States run in definition order (or by their order argument), after what they require; with
// Options.Parallel above one, independent states run side by side. Results are listed in definition order whatever the
// order of execution. A state function is read-compare-apply with one code path: Call.Test stops it before it applies.
//
// The language is Salt's, held to it by core/modules/testdata/salt. It differs where Salt would guess or stay silent: an
// unknown function or argument, an argument given twice, a second YAML document and a requisite or listen that means
// nothing are errors; true and false are conditions; a number with a fraction keeps its digits where text is wanted
// (version: 1.10). A state that failed only because of another, or that failhard kept from running, is listed as blocked.
// onfail_stop: false lets an onfail state run although a failhard has stopped the run, and spares the run the failure that
// it has dealt with. onfail counts blocked states as failed, but not what a test run would change. check_cmd is not run in
// a test run. Requisites given in two lists are all meant. Every requisite has its _in form, also of names and globs, and use
// takes none over. What a state needs is pulled in front of it, as up to Salt 3007, and so is what those states need before
// which it is to run (prereq): they are asked what they would do under their own requisites.
//
// A tree may have environments (core/files). The highstate takes what the top files assign of each, the top file of base
// having the first word; everything else is of one. Ids are unique over all of them.
//
// Cost: compile and run are linear in the number of states and requisites. A Runner is safe for concurrent use; a
// Plan is run once. The package knows no state function: core/modules registers them.
package states
