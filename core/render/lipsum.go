package render

import (
	"math/rand/v2"
	"strings"
)

const lipsumWords = `\
a ac accumsan ad adipiscing aenean aliquam aliquet amet ante aptent arcu at
auctor augue bibendum blandit class commodo condimentum congue consectetuer
consequat conubia convallis cras cubilia cum curabitur curae cursus dapibus
diam dictum dictumst dignissim dis dolor donec dui duis egestas eget eleifend
elementum elit enim erat eros est et etiam eu euismod facilisi facilisis fames
faucibus felis fermentum feugiat fringilla fusce gravida habitant habitasse hac
hendrerit hymenaeos iaculis id imperdiet in inceptos integer interdum ipsum
justo lacinia lacus laoreet lectus leo libero ligula litora lobortis lorem
luctus maecenas magna magnis malesuada massa mattis mauris metus mi molestie
mollis montes morbi mus nam nascetur natoque nec neque netus nibh nisi nisl non
nonummy nostra nulla nullam nunc odio orci ornare parturient pede pellentesque
penatibus per pharetra phasellus placerat platea porta porttitor posuere
potenti praesent pretium primis proin pulvinar purus quam quis quisque rhoncus
ridiculus risus rutrum sagittis sapien scelerisque sed sem semper senectus sit
sociis sociosqu sodales sollicitudin suscipit suspendisse taciti tellus tempor
tempus tincidunt torquent tortor tristique turpis ullamcorper ultrices
ultricies urna ut varius vehicula vel velit venenatis vestibulum vitae vivamus
viverra volutpat vulputate`

// lipsum is Jinja2's filler text: n paragraphs of at least min and less than max
// words, chosen anew each time.
func lipsum(_ *frame, a args) any {
	b := a.bind("lipsum", 0, "n", "html", "min", "max")
	n, html := wantInt(or(b[0], int64(5))), truth(or(b[1], true))
	least, most := wantInt(or(b[2], int64(20))), wantInt(or(b[3], int64(100)))
	if n > 0 && least >= most {
		throw("ValueError", "empty range for randrange() (%d, %d, %d)", least, most, most-least)
	}
	checkItems(max(0, n))
	checkItems(max(0, most))
	words := strings.Fields(lipsumWords)
	var paragraphs []string
	size := 0
	for range n {
		p := paragraph(words, least+rand.IntN(most-least))
		size += len(p)
		checkText(size)
		if html {
			p = "<p>" + p + "</p>"
		}
		paragraphs = append(paragraphs, p)
	}
	if html {
		return markup(strings.Join(paragraphs, "\n"))
	}
	return strings.Join(paragraphs, "\n\n")
}

// paragraph strews commas and full stops among n random words.
func paragraph(words []string, n int) string {
	var b strings.Builder
	comma, stop, start, last := 0, 0, true, ""
	for i := range n {
		word := words[rand.IntN(len(words))]
		for word == last {
			word = words[rand.IntN(len(words))]
		}
		last = word
		if i > 0 {
			b.WriteByte(' ')
		}
		if start {
			word, start = capitalize(word), false
		}
		b.WriteString(word)
		if i-(3+rand.IntN(5)) > comma {
			comma = i
			stop += 2
			b.WriteByte(',')
		}
		if i-(10+rand.IntN(10)) > stop {
			comma, stop, start = i, i, true
			b.WriteByte('.')
		}
		checkText(b.Len())
	}
	return strings.TrimSuffix(strings.TrimSuffix(b.String(), ","), ".") + "."
}
