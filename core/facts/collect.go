package facts

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
	"golang.org/x/sys/unix"
)

// DefaultDir is where a host keeps its custom facts.
const DefaultDir = "/etc/zester/facts"

// Options says for whom to collect.
type Options struct {
	ID      string // the peel's id, the fact id
	Version string // the fact zester_version
	Dir     string // custom facts; "" for none. A directory that is not there holds none

	root string // the host's files are below it; "" for /. For tests
}

// Collect returns the facts of this host: always as many as can be read. The warnings are about custom facts, each naming its file.
func Collect(ctx context.Context, o Options) (map[string]any, []error) {
	f := set{}
	f.put("id", o.ID)
	f.put("zester_version", o.Version)
	o.system(f)
	o.network(f)
	o.hardware(ctx, f)
	o.process(f)
	if o.Dir == "" {
		return f, nil
	}
	custom, warnings := Custom(ctx, o.Dir)
	for name, v := range custom {
		f[name] = v
	}
	return f, warnings
}

// set is facts in the making.
type set map[string]any

// put adds what could be read and skips what could not.
func (f set) put(name string, v any) {
	switch x := v.(type) {
	case nil:
		return
	case string:
		if x == "" {
			return
		}
		v = strings.ToValidUTF8(x, "\uFFFD")
	case []any:
		if len(x) == 0 {
			return
		}
	case set:
		if len(x) == 0 {
			return
		}
		v = map[string]any(x)
	case map[string]any:
		if len(x) == 0 {
			return
		}
	}
	f[name] = v
}

// copy puts facts into a group under the group's own names.
func (f set) copy(group set, names ...string) {
	for i := 0; i < len(names); i += 2 {
		group.put(names[i], f[names[i+1]])
	}
}

// read returns a small file of the host in one trimmed piece, "" if it cannot be read.
func (o Options) read(path string) string {
	data, err := os.ReadFile(o.path(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimRight(string(data), "\x00"))
}

func (o Options) path(path string) string { return filepath.Join("/", o.root, path) }

func (o Options) exists(path string) bool {
	_, err := os.Stat(o.path(path))
	return err == nil
}

func (o Options) hardware(ctx context.Context, f set) {
	o.processors(f)
	group := set{}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil && m.Total > 0 {
		f.put("mem_total", mebibytes(m.Total))
	}
	if s, err := mem.SwapMemoryWithContext(ctx); err == nil {
		f.put("swap_total", mebibytes(s.Total))
	}
	f.copy(group, "total", "mem_total", "swap_total", "swap_total")
	f.put("memory", group)
	f.put("disk", o.disks(ctx))

	f.put("manufacturer", o.read("sys/class/dmi/id/sys_vendor"))
	f.put("productname", o.read("sys/class/dmi/id/product_name"))
	f.put("serialnumber", o.read("sys/class/dmi/id/product_serial"))
	f.put("uuid", strings.ToLower(o.read("sys/class/dmi/id/product_uuid")))
}

// processors reads cpuinfo, which names things differently on each architecture and has nothing but threads on some.
func (o Options) processors(f set) {
	f.put("num_cpus", int64(runtime.NumCPU())) // of this process; cpuinfo knows those of the host
	var threads int64
	cores, socket := map[string]bool{}, ""
	group := set{}
	for line := range o.lines("proc/cpuinfo") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "processor":
			threads++
		case "model name", "Model", "cpu model":
			f.put("cpu_model", value)
		case "vendor_id":
			group.put("vendor", value)
		case "physical id":
			socket = value
		case "core id":
			cores[socket+"/"+value] = true
		}
	}
	if threads > 0 {
		f.put("num_cpus", threads)
	}
	if len(cores) > 0 {
		group.put("cores", int64(len(cores)))
	}
	f.copy(group, "count", "num_cpus", "model", "cpu_model", "arch", "arch")
	f.put("cpu", group)
}

func mebibytes(n uint64) int64 { return int64(n >> 20) }

// maxMounts keeps a host with thousands of mounts (a container host, say) from drowning the rest.
const maxMounts = 64

// disks lists the file systems on local devices: those without a device can hang, and come and go.
func (o Options) disks(ctx context.Context) set {
	mounts := set{}
	parts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil
	}
	for _, p := range parts {
		if p.Fstype == "squashfs" || len(mounts) == maxMounts {
			continue
		}
		m := set{}
		m.put("device", p.Device)
		m.put("fstype", p.Fstype)
		var fs unix.Statfs_t
		// A pooled file system's size follows its use.
		if p.Fstype != "zfs" && p.Fstype != "btrfs" && unix.Statfs(p.Mountpoint, &fs) == nil {
			m.put("total", mebibytes(fs.Blocks*uint64(fs.Bsize)))
		}
		mounts.put(p.Mountpoint, m)
	}
	group := set{}
	group.put("mounts", mounts)
	return group
}

func (o Options) process(f set) {
	f.put("path", os.Getenv("PATH"))
	f.put("shell", os.Getenv("SHELL"))
	f.put("uid", int64(os.Getuid()))
	f.put("gid", int64(os.Getgid()))
	if u, err := user.Current(); err == nil {
		f.put("username", u.Username)
	}
}
