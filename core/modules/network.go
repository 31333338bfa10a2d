package modules

import (
	"context"
	"fmt"
	"net"

	"github.com/ptorbus/zester/core/states"
)

func registerNetwork(r *Registry) {
	r.Register(
		&Function{Name: "network.ip_addrs", Doc: "Return the primary IPv4 address, of the host or of one interface, or null.",
			Params: []Param{{Name: "interface", Kind: states.Text, Doc: "name of an interface"}},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if name := args.Text("interface"); name != "" {
					return interfaceIPv4(name)
				}
				if ip, ok := env.facts()["default_ipv4"].(string); ok && ip != "" {
					return ip, nil
				}
				return primaryIPv4()
			}},
		&Function{Name: "network.interfaces", Doc: "Return the interfaces with their state and addresses.",
			Run: func(context.Context, *Env, Args) (any, error) { return interfaces() }},
	)
}

func interfaceIPv4(name string) (any, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("network.ip_addrs: interface %q: %w", name, err)
	}
	addrs, err := iface.Addrs()
	if err != nil {
		return nil, fmt.Errorf("network.ip_addrs: interface %q: %w", name, err)
	}
	for _, addr := range addrs {
		if ip := ipv4(addr); ip != nil {
			return ip.String(), nil
		}
	}
	return nil, nil
}

// primaryIPv4 is the first global IPv4 address of an interface that is up.
func primaryIPv4() (any, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("network.ip_addrs: %w", err)
	}
	for _, iface := range list {
		if iface.Flags&net.FlagUp == 0 || iface.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := iface.Addrs()
		if err != nil {
			return nil, fmt.Errorf("network.ip_addrs: %w", err)
		}
		for _, addr := range addrs {
			if ip := ipv4(addr); ip != nil && ip.IsGlobalUnicast() {
				return ip.String(), nil
			}
		}
	}
	return nil, nil
}

func ipv4(addr net.Addr) net.IP {
	if n, ok := addr.(*net.IPNet); ok {
		return n.IP.To4()
	}
	return nil
}

func interfaces() (any, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("network.interfaces: %w", err)
	}
	out := map[string]any{}
	for _, iface := range list {
		entry := map[string]any{"up": iface.Flags&net.FlagUp != 0, "mtu": int64(iface.MTU)}
		if len(iface.HardwareAddr) > 0 {
			entry["hwaddr"] = iface.HardwareAddr.String()
		}
		addrs, err := iface.Addrs()
		if err != nil {
			return nil, fmt.Errorf("network.interfaces: %w", err)
		}
		inet, inet6 := []any{}, []any{}
		for _, addr := range addrs {
			n, ok := addr.(*net.IPNet)
			if !ok {
				continue
			}
			prefix, _ := n.Mask.Size()
			if ip := n.IP.To4(); ip != nil {
				mask := net.IP(n.Mask)
				inet = append(inet, map[string]any{"address": ip.String(), "netmask": mask.String(), "prefixlen": int64(prefix)})
			} else {
				inet6 = append(inet6, map[string]any{"address": n.IP.String(), "prefixlen": int64(prefix)})
			}
		}
		entry["inet"], entry["inet6"] = inet, inet6
		out[iface.Name] = entry
	}
	return out, nil
}
