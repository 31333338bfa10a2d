package peel

import (
	"path/filepath"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/settings"
)

// furnishSettings takes up the cached settings, and keeps the basket in step with what they
// ask to be shared beside the peel's own block.
func (p *peel) furnishSettings(own []basket.Function) {
	p.settings = settings.NewStore(settings.StoreOptions{
		Conn: p.conn, ID: p.ID, Identity: p.identity, Account: p.account,
		CacheFile: filepath.Join(p.StateDir, "settings.sealed"), Log: p.Log,
	})
	share := func(data *settings.Map) {
		asked, err := basket.Parse("basket_functions", data.Plain()["basket_functions"])
		if err != nil {
			p.Log.Warn("the settings' basket functions are not shared", "error", err)
		}
		p.basket.Configure(basket.Merge(asked, own))
	}
	p.settings.OnChange(share)
	share(p.settings.Get())
}
