package render

var (
	saltFilters     = map[string]filterFunc{}
	saltDataFilters = map[string]filterFunc{}
	saltNetFilters  = map[string]filterFunc{}
	saltHashFilters = map[string]filterFunc{}
)
