package web

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// A file of /static/. Its query, if it has one, is the tag of its content: then
// it never changes under its URL.
type file struct {
	content []byte
	tag     string
}

var statics = func() map[string]file {
	all := map[string]file{}
	files, err := fs.Glob(staticFiles, "static/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range files {
		b, err := staticFiles.ReadFile(name)
		if err != nil {
			panic(err) // it was just listed
		}
		all[path.Base(name)] = file{b, tag(b)}
	}
	return all
}()

// types are the media types of what is there; their charset is UTF-8.
var types = map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

// static returns the URL of a file, which may be kept for ever.
func static(name string) (string, error) {
	f, ok := statics[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return "/static/" + name + "?" + strings.Trim(f.tag, `"`), nil
}

// script is static for a script, "" if there is none.
func script(name string) string {
	url, err := static(name)
	if err != nil {
		return ""
	}
	return url
}

// Static answers with a file of /static/. The error wraps fs.ErrNotExist if there
// is none of this name.
func Static(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, "/static/")
	f, ok := statics[name]
	if !ok {
		return fmt.Errorf("no static file %.60q: %w", name, fs.ErrNotExist)
	}
	h := w.Header()
	setPolicies(h)
	h.Set("Content-Type", types[path.Ext(name)]+"; charset=utf-8")
	h.Set("ETag", f.tag)
	h.Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == strings.Trim(f.tag, `"`) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if matches(r, f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return reply(w, http.StatusOK, f.content)
}
