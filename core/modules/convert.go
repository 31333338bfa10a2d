package modules

import (
	"context"
	"errors"
	"fmt"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
)

// conversion is of the arguments of one call: it knows which value of the template each piece of data was, so that what
// a function hands on is the template's own again.
type conversion struct{ origin map[any]any }

// data turns a template's value into data as settings are: mappings keep the order of their keys.
func (c *conversion) data(v any, depth int) (any, error) {
	const deepest = 50
	if depth > deepest {
		return plainOf(v)
	}
	switch d := v.(type) {
	case *render.Dict:
		return c.mapping(d, depth)
	case *render.List:
		return c.list(d, d.Items(), depth)
	case *render.Tuple:
		if depth == 0 {
			return c.list(d, d.Items(), depth)
		}
	}
	plain, err := plainOf(v)
	if err != nil || depth == 0 {
		return plain, err
	}
	return v, nil
}

func (c *conversion) mapping(d *render.Dict, depth int) (any, error) {
	m, odd := settings.NewMap(d.Len()), (*anyKeys)(nil)
	for k := range d.All() {
		if _, ok := k.(string); !ok {
			odd = &anyKeys{dict: d}
			break
		}
	}
	for k, e := range d.All() {
		e, err := c.data(e, depth+1)
		if err != nil {
			return nil, err
		}
		if odd != nil {
			odd.keys, odd.values = append(odd.keys, k), append(odd.values, e)
			continue
		}
		m.Set(k.(string), e)
	}
	if odd != nil {
		c.origin[odd] = d
		return odd, nil
	}
	c.origin[m] = d
	return m, nil
}

func (c *conversion) list(of any, elements []any, depth int) (any, error) {
	list := make([]any, len(elements))
	for i, e := range elements {
		var err error
		if list[i], err = c.data(e, depth+1); err != nil {
			return nil, err
		}
	}
	if len(list) > 0 {
		c.origin[&list[0]] = of
	}
	return list, nil
}

// restore puts the template's own values back into a result. What is not of the template is never changed.
func (c *conversion) restore(v any) (own any, changed bool) {
	if len(c.origin) == 0 {
		return v, false
	}
	switch d := v.(type) {
	case *anyKeys:
		return d.dict, true
	case *settings.Map:
		if own, ok := c.origin[d]; ok {
			return own, true
		}
		out := settings.NewMap(d.Len())
		for key, e := range d.All() {
			e, other := c.restore(e)
			changed = changed || other
			out.Set(key, e)
		}
		if changed {
			return out, true
		}
	case []any:
		if len(d) == 0 {
			break
		}
		if own, ok := c.origin[&d[0]]; ok {
			return own, true
		}
		out := make([]any, len(d))
		for i := range d {
			var other bool
			out[i], other = c.restore(d[i])
			changed = changed || other
		}
		if changed {
			return out, true
		}
	}
	return v, false
}

// writeBack gives the template's mapping what a function has set in the data made of it.
func (c *conversion) writeBack(v any) {
	m, ok := v.(*settings.Map)
	if !ok {
		return
	}
	own, ok := c.origin[m].(*render.Dict)
	if !ok {
		return
	}
	for key, e := range m.All() {
		c.writeBack(e)
		e, _ = c.restore(e)
		own.Set(key, e)
	}
}

// plainOf is for what is too deep or no data at all, which is an error.
func plainOf(v any) (any, error) {
	p, err := render.Plain(v)
	if m, ok := p.(map[string]any); ok {
		return settings.FromPlain(m), err
	}
	return p, err
}

// call is a template's call of an execution function; the values of settings keep their order.
func (t *saltTable) call(ctx context.Context, f *Function, args []any, kwargs map[string]any) (any, error) {
	value, err := t.env.registry().call(ctx, t.env, f.Name, args, kwargs)
	// As in Salt, a template sees the output of a command whatever its exit code, if it is all of it.
	var failure *Failure
	if errors.As(err, &failure) && !failure.cut {
		return failure.Value, nil
	}
	return value, err
}

// callOrdered is call with arguments in order.
func (t *saltTable) callOrdered(ctx context.Context, f *Function, args []any, kwargs *render.Dict) (any, error) {
	c := &conversion{origin: map[any]any{}}
	var err error
	for i := range args {
		if args[i], err = c.data(args[i], 0); err != nil {
			return nil, err
		}
	}
	named := map[string]any{}
	for k, v := range kwargs.All() {
		if named[fmt.Sprint(k)], err = c.data(v, 0); err != nil {
			return nil, err
		}
	}
	value, err := t.call(ctx, f, args, named)
	if err != nil {
		return nil, err
	}
	if changesFirst(f.Name) {
		c.writeBack(value)
	}
	value, _ = c.restore(value)
	return value, nil
}
