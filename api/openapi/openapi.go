// Package openapi is the description of the HTTP API: openapi.json, in OpenAPI 3.1, which
// the server serves and the site shows. Tests of package api hold server and description
// to each other, both ways.
package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// JSON is the description as it is served.
//
//go:embed openapi.json
var JSON []byte

// A Document is a description as people read it: references are followed.
type Document struct {
	Groups  []Group
	Schemas []Schema // by name
}

// A Group is operations that belong together, by path.
type Group struct {
	Name        string
	Description string
	Operations  []Operation
}

// An Operation is a method of a path.
type Operation struct {
	ID          string
	Method      string // in capital letters
	Path        string
	Summary     string
	Description string
	Proof       bool // it needs a proof of a key, always or for some of its parameters
	Body        []string
	Parameters  []Parameter
	Answers     []Answer
}

// A Parameter is a part of a request.
type Parameter struct {
	Name        string
	In          string // path, query or header
	Required    bool
	Description string
	Values      string // what it may be, in words
}

// An Answer is what comes back with a status, "default" for those that are not named.
type Answer struct {
	Status      string
	Description string
	Headers     []string // header fields that it may have
	Types       []string // media types
	Schema      string   // the name of that of its JSON, "" if it is none of ours
}

// A Schema is a JSON object, by its members.
type Schema struct {
	Name        string
	Description string
	Includes    []string // schemas whose members it has, too
	Members     []Member
}

// A Member is a member of an object.
type Member struct {
	Name        string
	Type        string
	Optional    bool
	Description string
}

// Read returns the description that is in this package.
func Read() (*Document, error) {
	var raw document
	if err := json.Unmarshal(JSON, &raw); err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	d := &Document{}
	for _, tag := range raw.Tags {
		g := Group{Name: tag.Name, Description: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(raw.Paths)) {
			for _, method := range slices.Sorted(maps.Keys(raw.Paths[path])) {
				if op := raw.Paths[path][method]; slices.Contains(op.Tags, tag.Name) {
					g.Operations = append(g.Operations, raw.operation(path, method, op))
				}
			}
		}
		d.Groups = append(d.Groups, g)
	}
	for _, name := range slices.Sorted(maps.Keys(raw.Components.Schemas)) {
		if s := raw.Components.Schemas[name]; len(s.Properties) > 0 {
			d.Schemas = append(d.Schemas, s.object(name))
		}
	}
	return d, nil
}

// document is what is read of OpenAPI.
type document struct {
	Tags  []struct{ Name, Description string }
	Paths map[string]map[string]operation

	Components struct {
		Parameters map[string]parameter
		Responses  map[string]response
		Schemas    map[string]schema
	}
}

type operation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Parameters                        []parameter
	RequestBody                       struct{ Content map[string]media }
	Responses                         map[string]response
	Security                          []map[string][]string
}

type parameter struct {
	Ref                   string `json:"$ref"`
	Name, In, Description string
	Required              bool
	Schema                schema
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]struct{}
	Content     map[string]media
}

type media struct{ Schema schema }

type schema struct {
	Ref               string `json:"$ref"`
	Type, Description string
	Format, Pattern   string
	Enum              []string
	Minimum, Maximum  *int64
	Default           any
	Items             *schema
	Properties        map[string]schema
	Required          []string
	AllOf             []schema
}

// base is the last part of a reference.
func base(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func (d *document) operation(path, method string, op operation) Operation {
	out := Operation{ID: op.OperationID, Method: strings.ToUpper(method), Path: path, Summary: op.Summary, Description: op.Description,
		Proof: len(op.Security) > 0, Body: slices.Sorted(maps.Keys(op.RequestBody.Content))}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[base(p.Ref)]
		}
		out.Parameters = append(out.Parameters, Parameter{p.Name, p.In, p.Required, p.Description, p.Schema.values()})
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if r.Ref != "" {
			r = d.Components.Responses[base(r.Ref)]
		}
		a := Answer{Status: status, Description: r.Description, Headers: slices.Sorted(maps.Keys(r.Headers)), Types: slices.Sorted(maps.Keys(r.Content))}
		for _, m := range r.Content {
			if m.Schema.Ref != "" {
				a.Schema = base(m.Schema.Ref)
			}
		}
		out.Answers = append(out.Answers, a)
	}
	return out
}

// values says what a value may be.
func (s schema) values() string {
	switch {
	case len(s.Enum) > 0:
		return strings.Join(s.Enum, ", ")
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("%d to %d", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		return fmt.Sprintf("%d or more", *s.Minimum)
	case s.Format == "date-time":
		return "a time, as in 2026-11-23T00:00:00Z"
	}
	return ""
}

func (s schema) object(name string) Schema {
	out := Schema{Name: name, Description: s.Description}
	for _, one := range s.AllOf {
		out.Includes = append(out.Includes, base(one.Ref))
	}
	for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
		m := s.Properties[member]
		out.Members = append(out.Members, Member{member, m.typed(), !slices.Contains(s.Required, member), m.Description})
	}
	return out
}

// typed names the type of a value.
func (s schema) typed() string {
	switch {
	case s.Ref != "":
		return base(s.Ref)
	case s.Type == "array" && s.Items != nil:
		return "list of " + s.Items.typed()
	case len(s.Properties) > 0:
		return "object of " + strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", ")
	}
	return s.Type
}
