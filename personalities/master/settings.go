package master

import (
	"context"
	"os"

	"github.com/ptorbus/zester/core/settings"
)

// newSettings makes the service that compiles the settings of the whole fleet.
func (m *master) newSettings() (*settings.Service, error) {
	dir := treeDir(m.SettingsDir, "settings")
	if _, err := os.Stat(dir); err != nil {
		m.log.Warn("there is no settings tree: create the directory, or name another with --settings-dir", "directory", dir)
	}
	return settings.NewService(settings.ServiceOptions{
		Conn: m.conn, Account: m.account, Fleet: m.index, Curve: m.directory.Curve, Log: m.log, Metrics: m.metrics,
		Compiler: settings.NewCompiler(settings.CompilerOptions{Dir: dir, Environments: m.SettingsEnvironments, Account: m.account, Groups: m.Groups}),
		Compiled: func(id string, data *settings.Map) {
			if err := m.index.PutSettings(id, data.Plain()); err != nil {
				m.log.Warn("a peel's settings cannot be used for targets", "peel", id, "error", err)
			}
		},
	})
}

// keepSettings compiles on every master; the one with the lease stores.
func (m *master) keepSettings(service *settings.Service, duty func(string, func(context.Context) error)) {
	m.directory.OnChange(func(id string, _ bool) { service.Touch(id) })
	duty("settings", func(ctx context.Context) error { service.Run(ctx); return nil })
	duty("settings lease", func(ctx context.Context) error {
		m.conn.Lease(ctx, "settings", m.name, leaseTime, service.Publish)
		return nil
	})
}
