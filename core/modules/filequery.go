package modules

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/ptorbus/zester/core/states"
)

func registerFileQueries(r *Registry) {
	params := []Param{{Name: "path", Aliases: []string{"name"}, Kind: states.Text, Required: true, Doc: "the path"}}
	stat := func(fits func(fs.FileInfo) bool) func(context.Context, *Env, Args) (any, error) {
		return func(_ context.Context, _ *Env, args Args) (any, error) {
			info, err := os.Stat(args.Text("path"))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return nil, err
			}
			return fits(info), nil
		}
	}
	r.Register(
		&Function{Name: "file.file_exists", Doc: "Return whether a file is at the path.", Params: params,
			Run: stat(func(info fs.FileInfo) bool { return !info.IsDir() })},
		&Function{Name: "file.directory_exists", Doc: "Return whether a directory is at the path.", Params: params,
			Run: stat(fs.FileInfo.IsDir)},
	)
}
