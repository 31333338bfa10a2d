package modules

import (
	"context"
	"fmt"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/ptorbus/zester/core/states"
)

func registerDisk(r *Registry) {
	r.Register(&Function{
		Name: "disk.usage", Doc: "Return how full each mounted disk is, by mount name: {root: 45%}.",
		Params: []Param{{Name: "path", Kind: states.Text, Doc: "only the disk that holds this path"}},
		Run: func(ctx context.Context, _ *Env, args Args) (any, error) {
			if path := args.Text("path"); path != "" {
				percent, err := usage(ctx, path)
				if err != nil {
					return nil, fmt.Errorf("disk.usage: %w", err)
				}
				return map[string]any{mountName(path): percent}, nil
			}
			return allUsage(ctx)
		},
	})
}

func allUsage(ctx context.Context) (any, error) {
	out := map[string]any{}
	if percent, err := usage(ctx, "/"); err == nil {
		out["root"] = percent
	}
	mounts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("disk.usage: %w", err)
	}
	for _, m := range mounts {
		// A mount that cannot be read (a stale network share) has no usage; the others still do.
		if percent, err := usage(ctx, m.Mountpoint); err == nil {
			out[mountName(m.Mountpoint)] = percent
		}
	}
	return out, nil
}

// usage is the percentage that df prints: of what an ordinary user could fill, rounded up.
func usage(ctx context.Context, path string) (string, error) {
	stat, err := disk.UsageWithContext(ctx, path)
	if err != nil {
		return "", err
	}
	available := stat.Used + stat.Free
	if available == 0 {
		return "0%", nil
	}
	return fmt.Sprintf("%d%%", (stat.Used*100+available-1)/available), nil
}

// mountName is "root" for /, otherwise the path without its first slash.
func mountName(path string) string {
	if path == "/" {
		return "root"
	}
	return strings.TrimPrefix(path, "/")
}
