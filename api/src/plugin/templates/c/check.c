// A mailsonde plugin that flags addresses at domains of a list.
//
// Memory: what a call hands in is ours to free, and what we return is freed by the generated code. So whatever leaves
// is allocated.

#include <stdlib.h>
#include <string.h>

#include "plugin.h"

typedef plugin_string_t text;
typedef exports_mailsonde_stage_plugin_outcome_t outcome;

// The most facts that one outcome has.
enum { FACTS_MAX = 2 };
@if cache

// How long a domain is remembered, in seconds: a week, the longest that the cache keeps anything.
enum { REMEMBERED_S = 7 * 24 * 60 * 60 };
@end

// What `configure` read.
static struct {
    plugin_list_string_t domains; // flagged together with their subdomains
@if dns
    plugin_list_string_t name_servers; // a domain that one of them serves is flagged
@end
} settings;
@if grants

// A subject that the list says nothing about.
typedef struct {
    text domain;
    outcome *outcome;
} other;
@end

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        __builtin_trap(); // mailsonde notes it and tries smaller parts of the batch
    }
    return memory;
}

static text literal(const char *characters) {
    return (text){(uint8_t *)characters, strlen(characters)};
}

// The three texts in one that is new.
static text joined(text head, text middle, text tail) {
    text result = {allocate(head.len + middle.len + tail.len, 1), 0};
    const text parts[] = {head, middle, tail};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].len) {
            memcpy(result.ptr + result.len, parts[i].ptr, parts[i].len);
            result.len += parts[i].len;
        }
    }
    return result;
}

static text copy(text original) {
    return joined(original, literal(""), literal(""));
}

static uint8_t lower(uint8_t octet) {
    return octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet;
}

// Whether the texts are the same but for the case of their letters.
static bool same(text a, text b) {
    bool equal = a.len == b.len;
    for (size_t i = 0; equal && i < a.len; i++) {
        equal = lower(a.ptr[i]) == lower(b.ptr[i]);
    }
    return equal;
}

// Adds a fact; `value` is JSON, and the outcome's from here on.
static void add_fact(outcome *outcome, const char *key, text value) {
    if (!outcome->facts.ptr) {
        outcome->facts.ptr = allocate(FACTS_MAX, sizeof *outcome->facts.ptr);
    }
    exports_mailsonde_stage_plugin_fact_t *fact = &outcome->facts.ptr[outcome->facts.len++];
    fact->key = joined(literal("@NAME@."), literal(key), literal(""));
    fact->value = value;
}

// Flags a subject: a fact that names what is listed, and an opinion.
static void flag(outcome *outcome, const char *key, text listed, const char *reason, double score) {
    text value = joined(literal("\""), listed, literal("\""));
    for (size_t i = 0; i < value.len; i++) {
        value.ptr[i] = lower(value.ptr[i]);
    }
    add_fact(outcome, key, value);
    outcome->opinion.is_some = true;
    outcome->opinion.val.category = EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_HIGH_RISK;
    outcome->opinion.val.reason = copy(literal(reason));
    outcome->opinion.val.score = score;
}

void exports_mailsonde_stage_plugin_describe(exports_mailsonde_stage_plugin_description_t *description) {
    static const char *const keys[] = {
        "@NAME@.domain",
@if dns
        "@NAME@.name-server",
@end
@if cache
        "@NAME@.first-seen",
@end
    };
    size_t count = sizeof keys / sizeof *keys;
    *description = (exports_mailsonde_stage_plugin_description_t){
        .id = copy(literal("@NAME@")),
        .version = copy(literal("0.1.0")),
        .writes = {allocate(count, sizeof(text)), count},
    };
    for (size_t i = 0; i < count; i++) {
        description->writes.ptr[i] = copy(literal(keys[i]));
    }
}

static bool is_domain(text t) {
    bool good = t.len > 0;
    for (size_t i = 0; good && i < t.len; i++) {
        uint8_t c = lower(t.ptr[i]);
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    }
    return good;
}

// Reads a list of domains from the configuration. If one is none, `error` says which, and the result is false.
static bool read_domains(const char *key, plugin_list_string_t *domains, text *error) {
    text path = literal(key);
    plugin_list_string_free(domains);
    mailsonde_stage_config_get_list(&path, domains);
    for (size_t i = 0; i < domains->len; i++) {
        text domain = domains->ptr[i];
        if (!is_domain(domain)) {
            text place = joined(path, literal(": "), domain);
            *error = joined(place, literal(" is no domain"), literal(""));
            plugin_string_free(&place);
            return false;
        }
    }
    return true;
}

bool exports_mailsonde_stage_plugin_configure(text *error) {
    if (!read_domains("domains", &settings.domains, error)) {
        return false;
    }
    if (settings.domains.len == 0) {
        *error = copy(literal("domains: a list is missing, such as domains = [\"bad.example\"]"));
        return false;
    }
@if dns
    return read_domains("name_servers", &settings.name_servers, error);
@else
    return true;
@end
}

// The listed domain that `domain` is, or is below.
static const text *find_listed(text domain) {
    for (size_t i = 0; i < settings.domains.len; i++) {
        const text *listed = &settings.domains.ptr[i];
        if (domain.len < listed->len) {
            continue;
        }
        size_t before = domain.len - listed->len;
        text end = {domain.ptr + before, listed->len};
        if (same(end, *listed) && (before == 0 || domain.ptr[before - 1] == '.')) {
            return listed;
        }
    }
    return NULL;
}
@if dns

// The listed name server among the answers.
static const text *find_name_server(const mailsonde_stage_dns_answer_t *answer) {
    // No answer is no reason to flag anybody.
    if (answer->tag != MAILSONDE_STAGE_DNS_ANSWER_FOUND) {
        return NULL;
    }
    for (size_t i = 0; i < settings.name_servers.len; i++) {
        for (size_t k = 0; k < answer->val.found.len; k++) {
            if (same(settings.name_servers.ptr[i], answer->val.found.ptr[k])) {
                return &settings.name_servers.ptr[i];
            }
        }
    }
    return NULL;
}

// Asks for the name servers of all domains in one call: they are looked up at the same time.
static void ask_name_servers(const other *others, size_t count) {
    if (settings.name_servers.len == 0 || count == 0) {
        return;
    }
    mailsonde_stage_dns_list_query_t queries = {allocate(count, sizeof *queries.ptr), count};
    for (size_t i = 0; i < count; i++) {
        queries.ptr[i].name = others[i].domain;
        queries.ptr[i].kind = MAILSONDE_STAGE_DNS_KIND_NS;
    }
    mailsonde_stage_dns_list_answer_t answers;
    mailsonde_stage_dns_lookup_many(&queries, &answers);
    for (size_t i = 0; i < count; i++) {
        const text *listed = find_name_server(&answers.ptr[i]);
        if (listed) {
            flag(others[i].outcome, "name-server", *listed, "listed_name_server", 0.7);
        }
    }
    mailsonde_stage_dns_list_answer_free(&answers);
    free(queries.ptr); // the names in it are the subjects'
}
@end
@if cache

static text decimal(uint64_t number) {
    uint8_t digits[20]; // of the largest number
    size_t start = sizeof digits;
    do {
        digits[--start] = '0' + number % 10;
        number /= 10;
    } while (number);
    return copy((text){digits + start, sizeof digits - start});
}

// Looks up when each domain was first seen: now, where the cache does not know better.
static void remember(const other *others, size_t count) {
    if (count == 0) {
        return;
    }
    text now = decimal((uint64_t)mailsonde_stage_clock_now());
    plugin_list_string_t keys = {allocate(count, sizeof *keys.ptr), count};
    for (size_t i = 0; i < count; i++) {
        keys.ptr[i] = others[i].domain;
    }
    plugin_list_option_string_t known;
    mailsonde_stage_cache_get_many(&keys, &known);
    mailsonde_stage_cache_list_entry_t unseen = {allocate(count, sizeof *unseen.ptr), 0};
    for (size_t i = 0; i < count; i++) {
        text first_seen = known.ptr[i].is_some ? known.ptr[i].val : now;
        add_fact(others[i].outcome, "first-seen", copy(first_seen));
        if (!known.ptr[i].is_some) {
            unseen.ptr[unseen.len++] = (mailsonde_stage_cache_entry_t){others[i].domain, now, REMEMBERED_S};
        }
    }
    mailsonde_stage_cache_set_many(&unseen);
    plugin_list_option_string_free(&known);
    free(unseen.ptr); // the texts in these two are the subjects', and `now`
    free(keys.ptr);
    plugin_string_free(&now);
}
@end

void exports_mailsonde_stage_plugin_check_many(exports_mailsonde_stage_plugin_list_subject_t *subjects,
                                               exports_mailsonde_stage_plugin_list_outcome_t *outcomes) {
    *outcomes = (exports_mailsonde_stage_plugin_list_outcome_t){
        allocate(subjects->len, sizeof *outcomes->ptr),
        subjects->len,
    };
@if grants
    other *others = allocate(subjects->len, sizeof *others);
    size_t count = 0;
@end
    for (size_t i = 0; i < subjects->len; i++) {
        // An input that is no address is for other stages to judge.
        if (!subjects->ptr[i].address.is_some) {
            continue;
        }
        text domain = subjects->ptr[i].address.val.domain;
        const text *listed = find_listed(domain);
        if (listed) {
            flag(&outcomes->ptr[i], "domain", *listed, "listed_domain", 0.9);
@if grants
        } else {
            others[count++] = (other){domain, &outcomes->ptr[i]};
@end
        }
    }
@if dns
    ask_name_servers(others, count);
@end
@if cache
    remember(others, count);
@end
@if grants
    free(others);
@end
    exports_mailsonde_stage_plugin_list_subject_free(subjects);
}
