package modules

import (
	"context"
	"sync"

	"github.com/ptorbus/zester/core/states"
)

// fileStates are the file.* state functions of one run, with what they look up once.
type fileStates struct {
	env    *Env
	owners owners
	// planned are the paths that a test run would have made so far.
	planned sync.Map
	// accumulated is what file.accumulated has collected.
	accumulated accumulators
}

var (
	userParam  = Param{Name: "user", Aliases: []string{"owner"}, Kind: states.Text, Doc: "owner, by name or number"}
	groupParam = Param{Name: "group", Kind: states.Text, Doc: "group, by name or number"}
	makedirs   = Param{Name: "makedirs", Kind: states.Bool, Doc: "make missing directories above it"}
	cleanParam = Param{Name: "clean", Kind: states.Bool, Doc: "remove what is in it and not managed by this state or a file state it requires"}
	excludePat = Param{Name: "exclude_pat", Kind: states.List, Doc: "globs, or E@ and a regular expression: paths below it to leave alone"}
	dirMode    = Param{Name: "dir_mode", Kind: states.Text, Doc: "octal mode of the directories that makedirs makes"}
	pathParam  = Param{Name: "name", Aliases: []string{"path"}, Kind: states.Text, Doc: "the path"}
)

type fileFunc func(*fileStates, context.Context, *states.Call) (states.Result, error)

// bind makes a state function of apply. A test run warns of users and groups that are not there.
func (s *fileStates) bind(apply fileFunc) func(context.Context, *states.Call) (states.Result, error) {
	return func(ctx context.Context, call *states.Call) (states.Result, error) {
		res, err := apply(s, ctx, call)
		if call.Test {
			res.Warnings = append(res.Warnings, s.owners.unknown(call.Args)...)
		}
		return res, err
	}
}

func newFileStates(env *Env) []*states.Function {
	s := &fileStates{env: env}
	bind := s.bind
	return append(editStates(s), []*states.Function{
		{Name: "file.managed", Doc: "Make a file hold given contents, with owner and mode.", Apply: bind((*fileStates).managed), Params: []Param{
			pathParam,
			{Name: "contents", Aliases: []string{"content"}, Doc: "the contents: text, or a list of lines"},
			{Name: "contents_pillar", Aliases: []string{"contents_settings"}, Kind: states.Text, Doc: "the setting that has the contents"},
			{Name: "contents_grains", Aliases: []string{"contents_facts"}, Kind: states.Text, Doc: "the fact that has the contents"},
			{Name: "contents_newline", Kind: states.Bool, Doc: "end the contents with a newline, true by default"},
			{Name: "source", Kind: states.List, Doc: "salt:// or zy:// path in the tree or absolute path; of a list the first that is there"},
			{Name: "source_hash", Kind: states.Text, Doc: "hash that the source must have, or where a list of hashes is"},
			{Name: "skip_verify", Kind: states.Bool, Doc: "take a source from a URL without source_hash"},
			{Name: "template", Kind: states.Text, Doc: "jinja: render the contents"},
			{Name: "context", Kind: states.Map, Ordered: true, Doc: "variables for the template"},
			{Name: "defaults", Kind: states.Map, Ordered: true, Doc: "variables for the template, below context"},
			{Name: "mode", Kind: states.Text, Doc: "octal mode; keep takes that of a local source"},
			userParam, groupParam, makedirs, dirMode,
			{Name: "replace", Kind: states.Bool, Default: true, Doc: "false leaves the contents of a file that is there"},
			{Name: "create", Kind: states.Bool, Default: true, Doc: "false leaves a missing file missing"},
			{Name: "backup", Doc: "true: keep the old file below the state directory"},
			{Name: "show_changes", Aliases: []string{"show_diff"}, Kind: states.Bool, Default: true, Doc: "false keeps contents out of the result"},
			{Name: "check_cmd", Kind: states.Text, Doc: "command that is given a file with the new contents and must succeed"},
			{Name: "tmp_dir", Kind: states.Text, Doc: "directory of the file that check_cmd is given"},
			{Name: "follow_symlinks", Kind: states.Bool, Default: true, Doc: "false replaces a symbolic link"},
			{Name: "allow_empty", Kind: states.Bool, Default: true, Doc: "false refuses empty contents"},
			{Name: "contents_delimiter", Kind: states.Text, Default: ":", Doc: "what separates nested names in contents_pillar and contents_grains"},
			encodingArg,
			{Name: "encoding_errors", Kind: states.Text, Doc: "accepted; what cannot be encoded is an error"},
			{Name: "source_hash_name", Kind: states.Text, Doc: "name of the file in a source_hash that is a list of hashes"},
			{Name: "verify_ssl", Kind: states.Bool, Default: true, Doc: "false takes a source from a server whose certificate is not known"},
			{Name: "keep_source", Kind: states.Bool, Doc: "accepted; the cache looks after itself"},
			{Name: "use_etag", Kind: states.Bool, Doc: "accepted"},
			{Name: "new_file_diff", Kind: states.Bool, Doc: "accepted; new files are always shown"},
			{Name: "tmp_ext", Kind: states.Text, Doc: "ending of the name of the file that check_cmd is given"},
			{Name: "attrs", Doc: "refused: attributes of chattr are not managed"},
			{Name: "selinux", Doc: "refused: labels are not managed"},
		}},
		{Name: "file.directory", Doc: "Make a directory, with owner and mode.", Apply: bind((*fileStates).directory), Params: []Param{
			pathParam, userParam, groupParam,
			{Name: "mode", Aliases: []string{"dir_mode"}, Kind: states.Text, Doc: "octal mode"},
			{Name: "file_mode", Kind: states.Text, Doc: "octal mode of the files below it, with recurse: [mode]"},
			{Name: "recurse", Kind: states.List, Doc: "what to set below it too: user, group, mode"},
			{Name: "max_depth", Kind: states.Int, Doc: "how far below recurse reaches"},
			makedirs, cleanParam, excludePat,
			{Name: "force", Kind: states.Bool, Doc: "replace what is there and not a directory"},
			{Name: "backupname", Kind: states.Text, Doc: "where to move what is there and not a directory"},
			{Name: "follow_symlinks", Kind: states.Bool, Default: true, Doc: "false replaces a symbolic link, with force"},
			{Name: "allow_symlink", Kind: states.Bool, Default: true, Doc: "a symbolic link to a directory is one"},
			{Name: "children_only", Kind: states.Bool, Doc: "leave owner and mode of the directory itself"},
		}},
		{Name: "file.recurse", Doc: "Make a directory hold the files of a directory of the tree.", Apply: bind((*fileStates).recurse), Params: []Param{
			pathParam, userParam, groupParam, dirMode, cleanParam, excludePat,
			{Name: "source", Kind: states.List, Required: true, Doc: "salt:// or zy:// directory in the tree; of a list the first that is there"},
			{Name: "file_mode", Kind: states.Text, Doc: "octal mode of the files; keep makes executable what is executable in the tree"},
			{Name: "include_pat", Kind: states.List, Doc: "globs, or E@ and a regular expression: the files to copy, all by default"},
			{Name: "template", Kind: states.Text, Doc: "jinja: render the files"},
			{Name: "context", Kind: states.Map, Ordered: true, Doc: "variables for the template"},
			{Name: "defaults", Kind: states.Map, Ordered: true, Doc: "variables for the template, below context"},
			{Name: "replace", Kind: states.Bool, Default: true, Doc: "false leaves the contents of files that are there"},
			{Name: "backup", Doc: "true: keep the old files below the state directory"},
			{Name: "include_empty", Kind: states.Bool, Doc: "a warning: a tree holds no directories but those of files"},
			{Name: "maxdepth", Kind: states.Int, Doc: "how far below the source to go"},
			{Name: "keep_source", Kind: states.Bool, Doc: "accepted; the cache looks after itself"},
			{Name: "keep_symlinks", Kind: states.Bool, Doc: "accepted; the tree holds what links lead to"},
			{Name: "force_symlinks", Kind: states.Bool, Doc: "accepted, as keep_symlinks"},
			{Name: "sym_mode", Kind: states.Text, Doc: "accepted, as keep_symlinks"},
			{Name: "skip_verify", Kind: states.Bool, Doc: "accepted; sources of the tree are verified by their digest"},
			showChanges,
		}},
		{Name: "file.absent", Doc: "Remove a file, a link or a directory with all that is in it.", Apply: bind((*fileStates).absent), Params: []Param{pathParam}},
		{Name: "file.symlink", Doc: "Make a symbolic link.", Apply: bind((*fileStates).symlink), Params: []Param{
			pathParam, {Name: "target", Kind: states.Text, Required: true, Doc: "where it points"},
			{Name: "force", Kind: states.Bool, Doc: "replace what is there and not a link"},
			{Name: "backupname", Kind: states.Text, Doc: "where to move what is there and not a link"},
			{Name: "mode", Kind: states.Text, Doc: "octal mode of the directories that makedirs makes"},
			{Name: "atomic", Kind: states.Bool, Doc: "accepted; links are always replaced at once"},
			userParam, groupParam, makedirs, dirMode,
		}},
		{Name: "file.exists", Doc: "Succeed if something is at the path.", Apply: bind((*fileStates).exists), Params: []Param{pathParam}},
		{Name: "file.missing", Doc: "Succeed if nothing is at the path.", Apply: bind((*fileStates).missing), Params: []Param{pathParam}},
	}...)
}
