package modules

import (
	"context"
	"slices"

	"github.com/ptorbus/zester/core/states"
)

var (
	showChanges = Param{Name: "show_changes", Aliases: []string{"show_diff"}, Kind: states.Bool, Default: true, Doc: "false keeps contents out of the result"}
	bakParam    = Param{Name: "backup", Default: ".bak", Doc: "ending of the name of a copy of the old file; false keeps none"}
	charParam   = Param{Name: "char", Kind: states.Text, Default: "#", Doc: "what makes a line a comment"}
	regexParam  = Param{Name: "regex", Kind: states.Text, Required: true, Doc: "regular expression that the lines begin with"}
	appendParam = Param{Name: "append_if_not_found", Kind: states.Bool, Doc: "add it to the end of the file where nothing is found"}
	prependIf   = Param{Name: "prepend_if_not_found", Kind: states.Bool, Doc: "add it to the beginning of the file where nothing is found"}
	ignoreGone  = Param{Name: "ignore_if_missing", Kind: states.Bool, Doc: "a missing file is no failure"}
	encodingArg = Param{Name: "encoding", Kind: states.Text, Doc: "encoding of the file, utf-8 by default"}
	// sourceParams are the arguments of what takes text from the tree.
	sourceParams = []Param{
		{Name: "source", Kind: states.Text, Doc: "salt:// or zy:// path in the tree, URL or absolute path of the text"},
		{Name: "source_hash", Doc: "hash that the source must have"},
		{Name: "sources", Kind: states.List, Doc: "several sources"},
		{Name: "source_hashes", Kind: states.List, Doc: "accepted; sources of the tree are verified by their digest"},
		{Name: "template", Kind: states.Text, Default: "jinja", Doc: "jinja: render the sources"},
		{Name: "defaults", Kind: states.Map, Ordered: true, Doc: "variables for the template, below context"},
		{Name: "context", Kind: states.Map, Ordered: true, Doc: "variables for the template"},
	}
)

// editStates are the file.* states that edit a text that is there.
func editStates(s *fileStates) []*states.Function {
	always := func(Args) bool { return true }
	bound := func(name, doc string, apply fileFunc, params ...Param) *states.Function {
		return &states.Function{Name: "file." + name, Doc: doc, Params: append([]Param{pathParam, showChanges}, params...), Apply: s.bind(apply)}
	}
	edit := func(name, doc string, e editor, params ...Param) *states.Function {
		return bound(name, doc, func(s *fileStates, ctx context.Context, call *states.Call) (states.Result, error) {
			return e.apply(s, ctx, call)
		}, params...)
	}
	text := Param{Name: "text", Kind: states.List, Doc: "the text, or a list of texts"}
	return []*states.Function{
		edit("append", "Make a text that is not in a file yet its last lines.", editor{(*fileStates).appendText, always},
			slices.Concat([]Param{text, makedirs, {Name: "ignore_whitespace", Kind: states.Bool, Default: true, Doc: "any white space between words is the same"}}, sourceParams)...),
		edit("prepend", "Make a text that is not in a file yet its first lines.", editor{(*fileStates).prependText, always},
			slices.Concat([]Param{text, makedirs, {Name: "header", Kind: states.Bool, Doc: "the text must be the first lines, not just any"}}, sourceParams)...),
		edit("replace", "Replace what matches a regular expression.", editor{edit: (*fileStates).replaceText},
			Param{Name: "pattern", Kind: states.Text, Required: true, Doc: "regular expression, as Python writes them"},
			Param{Name: "repl", Kind: states.Text, Required: true, Doc: `the replacement; \1 and \g<name> are groups of the match`},
			Param{Name: "count", Kind: states.Int, Doc: "how many matches to replace, 0 for all"},
			Param{Name: "flags", Default: int64(8), Doc: "flags of the expression by name, [IGNORECASE, MULTILINE, DOTALL], or Python's number"},
			Param{Name: "bufsize", Doc: "accepted; the file is read whole"},
			appendParam, prependIf,
			Param{Name: "not_found_content", Kind: states.Text, Doc: "what to add where nothing is found, repl by default"},
			bakParam, ignoreGone,
			Param{Name: "backslash_literal", Kind: states.Bool, Doc: "backslashes of repl mean themselves"}, encodingArg),
		edit("blockreplace", "Make a file hold a text between two marked lines.", editor{edit: (*fileStates).blockText}, slices.Concat([]Param{
			{Name: "marker_start", Kind: states.Text, Default: "#-- start managed zone --", Doc: "text of the line before the block"},
			{Name: "marker_end", Kind: states.Text, Default: "#-- end managed zone --", Doc: "text of the line after the block"},
			{Name: "content", Kind: states.Text, Doc: "the block"},
			appendParam, prependIf,
			{Name: "insert_before_match", Kind: states.Text, Doc: "put a missing block before the first line that this matches"},
			{Name: "insert_after_match", Kind: states.Text, Doc: "put a missing block after the first line that this matches"},
			{Name: "append_newline", Kind: states.Bool, Doc: "put a newline before the end marker; by default where the block does not end with one"},
			bakParam}, sourceParams)...),
		edit("comment", "Make the lines that match comments.", editor{edit: (*fileStates).commentText}, regexParam, charParam, bakParam,
			Param{Name: "ignore_missing", Kind: states.Bool, Doc: "no matching line is no failure"}),
		edit("uncomment", "Make the comments that match lines.", editor{edit: (*fileStates).uncommentText}, regexParam, charParam, bakParam),
		edit("line", "Insert, replace or delete one line.", editor{(*fileStates).lineText, func(args Args) bool { return args.Bool("create") }},
			Param{Name: "content", Kind: states.Text, Doc: "the line"},
			Param{Name: "mode", Kind: states.Text, Required: true, Doc: "insert, ensure, replace or delete"},
			Param{Name: "match", Kind: states.Text, Doc: "regular expression of the line to replace or delete, content by default"},
			Param{Name: "location", Kind: states.Text, Doc: "start or end, for insert"},
			Param{Name: "before", Kind: states.Text, Doc: "regular expression of the line that comes after"},
			Param{Name: "after", Kind: states.Text, Doc: "regular expression of the line that comes before"},
			Param{Name: "indent", Kind: states.Bool, Default: true, Doc: "indent it as the line beside it"},
			Param{Name: "create", Kind: states.Bool, Doc: "make a missing file"},
			Param{Name: "quiet", Kind: states.Bool, Doc: "accepted"},
			Param{Name: "backup", Doc: "ending of the name of a copy of the old file"},
			userParam, groupParam,
			Param{Name: "file_mode", Kind: states.Text, Doc: "octal mode of the file"}),
		edit("keyvalue", "Set the values of keys in lines of key, separator and value.",
			editor{(*fileStates).keyText, func(args Args) bool { return args.Bool("create_if_missing") }},
			Param{Name: "key", Kind: states.Text, Doc: "the key"},
			Param{Name: "value", Doc: "its value"},
			Param{Name: "key_values", Kind: states.Map, Ordered: true, Doc: "several keys and their values"},
			Param{Name: "separator", Kind: states.Text, Default: "=", Doc: "what is between key and value"},
			appendParam, prependIf, ignoreGone,
			Param{Name: "search_only", Kind: states.Bool, Doc: "accepted"},
			Param{Name: "count", Kind: states.Int, Default: int64(1), Doc: "how many lines of a key there may be; a negative number is any"},
			Param{Name: "uncomment", Kind: states.Text, Doc: "characters to take away from the beginning of a line that sets the key"},
			Param{Name: "key_ignore_case", Kind: states.Bool, Doc: "the case of keys is no difference"},
			Param{Name: "value_ignore_case", Kind: states.Bool, Doc: "the case of values is no difference"},
			Param{Name: "create_if_missing", Kind: states.Bool, Doc: "make a missing file"},
			Param{Name: "prune", Kind: states.Bool, Doc: "remove the lines of all other keys"}),
		bound("touch", "Make a file be there, and set its times.", (*fileStates).touch,
			Param{Name: "atime", Doc: "time of the last access: seconds since 1970, or as 2026-01-02T15:04:05"},
			Param{Name: "mtime", Doc: "time of the last change"}, makedirs),
		bound("copy", "Copy a file or a directory of the host.", (*fileStates).copyFile,
			Param{Name: "source", Kind: states.Text, Required: true, Doc: "the path to copy"},
			Param{Name: "force", Kind: states.Bool, Doc: "overwrite what is there"},
			Param{Name: "preserve", Kind: states.Bool, Doc: "keep owner and times"},
			Param{Name: "subdir", Kind: states.Bool, Doc: "copy into a directory that is there"},
			Param{Name: "mode", Kind: states.Text, Doc: "octal mode, that of the source by default"},
			userParam, groupParam, makedirs, dirMode),
		bound("rename", "Move a file or a directory of the host.", (*fileStates).rename,
			Param{Name: "source", Kind: states.Text, Required: true, Doc: "the path to move"},
			Param{Name: "force", Kind: states.Bool, Doc: "overwrite what is there"}, makedirs),
		bound("tidied", "Remove what is old or large from a directory.", (*fileStates).tidied,
			Param{Name: "age", Kind: states.Int, Doc: "days"},
			Param{Name: "size", Doc: "bytes, or a number with k, m, g or t"},
			Param{Name: "matches", Kind: states.List, Doc: "regular expressions that names begin with, any by default"},
			Param{Name: "exclude", Kind: states.List, Doc: "regular expressions of names to leave alone"},
			Param{Name: "full_path_match", Kind: states.Bool, Doc: "the expressions are for whole paths"},
			Param{Name: "rmdirs", Kind: states.Bool, Doc: "remove directories too"},
			Param{Name: "rmlinks", Kind: states.Bool, Default: true, Doc: "remove symbolic links too"},
			Param{Name: "time_comparison", Kind: states.Text, Default: "atime", Doc: "atime, mtime or ctime"},
			Param{Name: "age_size_logical_operator", Kind: states.Text, Default: "OR", Doc: "OR: age or size suffices; AND"},
			Param{Name: "age_size_only", Kind: states.Text, Doc: "age or size: only look at this one"}),
		bound("serialize", "Make a file hold data as YAML, JSON or INI.", (*fileStates).serialize,
			Param{Name: "dataset", Ordered: true, Doc: "the data"},
			Param{Name: "dataset_pillar", Aliases: []string{"dataset_settings"}, Kind: states.Text, Doc: "the setting that has the data"},
			Param{Name: "serializer", Kind: states.Text, Doc: "yaml (the default), json or configparser"},
			Param{Name: "formatter", Kind: states.Text, Doc: "older name of serializer"},
			Param{Name: "serializer_opts", Kind: states.Map, Doc: "indent and sort_keys for json, default_flow_style for yaml"},
			Param{Name: "deserializer_opts", Kind: states.Map, Doc: "accepted"},
			Param{Name: "merge_if_exists", Kind: states.Bool, Doc: "lay the data over what the file holds"},
			Param{Name: "mode", Kind: states.Text, Doc: "octal mode"},
			userParam, groupParam, makedirs, dirMode, encodingArg,
			Param{Name: "encoding_errors", Kind: states.Text, Doc: "accepted; what cannot be encoded is an error"},
			Param{Name: "create", Kind: states.Bool, Default: true, Doc: "false leaves a missing file missing"},
			Param{Name: "backup", Doc: "true: keep the old file below the state directory"},
			Param{Name: "check_cmd", Kind: states.Text, Doc: "command that is given a file with the new contents and must succeed"},
			Param{Name: "tmp_dir", Kind: states.Text, Doc: "directory of the file that check_cmd is given"},
			Param{Name: "tmp_ext", Kind: states.Text, Doc: "ending of the name of the file that check_cmd is given"}),
		{Name: "file.accumulated", Doc: "Collect texts for a file.blockreplace or a template that requires this state.", Apply: s.accumulate, Params: []Param{
			{Name: "filename", Kind: states.Text, Required: true, Doc: "the file they are for"},
			{Name: "text", Kind: states.List, Required: true, Doc: "the texts"},
		}},
	}
}
