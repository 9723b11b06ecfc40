// Brand indicators (BIMI), as a mailsonde plugin in C: whether an address's domain publishes its logo for mail
// programs to show, by the TXT record SELECTOR._bimi.DOMAIN. All domains of a batch are asked for in one call, each
// once. Whether the logo or its certificate can be fetched is not asked, nor are parent domains.
//
// Memory: what a call hands in is ours to free, what we return is freed by the generated code. So everything that
// leaves is allocated.

#include <stdlib.h>
#include <string.h>

#include "plugin.h"

typedef plugin_string_t text;
typedef exports_mailsonde_stage_plugin_category_t category;

enum {
    LABEL_MAX = 63, // octets of a label and of a name (RFC 1035)
    NAME_MAX = 253,
};

// What `configure` prepared.
static struct {
    char infix[LABEL_MAX + sizeof "._bimi."]; // what stands before the domain: "default._bimi."
    plugin_list_string_t skip;                // domains not to ask for
    bool has_opinion;
    category category; // of a domain with a logo
    double score;
} settings;

// ---- Text

static text borrowed(const char *literal) {
    return (text){(uint8_t *)literal, strlen(literal)};
}

static text copy(const char *literal) {
    text result;
    plugin_string_dup(&result, literal);
    return result;
}

static bool same(text a, text b) {
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        abort(); // a trap: mailsonde notes it and tries smaller parts of the batch
    }
    return memory;
}

// `head`, `middle` and `tail` in one.
static text joined(const char *head, text middle, const char *tail) {
    size_t before = strlen(head), after = strlen(tail), len = before + middle.len + after;
    text result = {allocate(len, 1), len};
    memcpy(result.ptr, head, before);
    memcpy(result.ptr + before, middle.ptr, middle.len);
    memcpy(result.ptr + before + middle.len, tail, after);
    return result;
}

// `plain` as a JSON string.
static text json_string(text plain) {
    static const char hex[] = "0123456789abcdef";
    text json = {allocate(plain.len * strlen("\\u0000") + 2, 1), 0};
    json.ptr[json.len++] = '"';
    for (size_t i = 0; i < plain.len; i++) {
        uint8_t octet = plain.ptr[i];
        if (octet < 0x20) {
            const char escape[] = {'\\', 'u', '0', '0', hex[octet >> 4], hex[octet & 15]};
            memcpy(json.ptr + json.len, escape, sizeof escape);
            json.len += sizeof escape;
            continue;
        }
        if (octet == '"' || octet == '\\') {
            json.ptr[json.len++] = '\\';
        }
        json.ptr[json.len++] = octet;
    }
    json.ptr[json.len++] = '"';
    return json;
}

// ---- Configuration

// Whether the key is there. The value is ours then.
static bool config_get(const char *key, text *value) {
    text path = borrowed(key);
    return mailsonde_stage_config_get(&path, value);
}

static bool read_selector(text *error) {
    text value = {0};
    bool given = config_get("selector", &value);
    text selector = given ? value : borrowed("default");
    bool good = selector.len > 0 && selector.len <= LABEL_MAX;
    for (size_t i = 0; good && i < selector.len; i++) {
        uint8_t c = selector.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    if (good) {
        memcpy(settings.infix, selector.ptr, selector.len);
        strcpy(settings.infix + selector.len, "._bimi.");
    } else {
        *error = joined("selector: \"", selector, "\" is no label of a domain name in lower case");
    }
    if (given) {
        plugin_string_free(&value);
    }
    return good;
}

static bool read_category(text *error) {
    static const char *const words[] = {
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_DELIVERABLE] = "deliverable",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_UNDELIVERABLE] = "undeliverable",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_RISKY] = "risky",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_DISPOSABLE] = "disposable",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_UNKNOWN] = "unknown",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_RANDOM_PATTERN] = "random_pattern",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_HIGH_RISK] = "high_risk",
        [EXPORTS_MAILSONDE_STAGE_PLUGIN_CATEGORY_ACCEPT_ALL] = "accept_all",
    };
    text value;
    settings.has_opinion = false;
    if (!config_get("category", &value)) {
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (same(value, borrowed(words[i]))) {
            settings.has_opinion = true;
            settings.category = (category)i;
        }
    }
    if (!settings.has_opinion) {
        *error = joined("category: \"", value, "\" is no category");
    }
    plugin_string_free(&value);
    return settings.has_opinion;
}

static bool read_score(text *error) {
    text value;
    if (!config_get("score", &value)) {
        settings.score = 0.5;
        return true;
    }
    // Values of the configuration end with their length, numbers of C with a zero.
    text number = joined("", value, " ");
    number.ptr[value.len] = 0;
    char *end;
    settings.score = strtod((char *)number.ptr, &end);
    bool good = end == (char *)number.ptr + value.len && value.len > 0;
    good = good && settings.score >= 0 && settings.score <= 1;
    if (!good) {
        *error = joined("score: ", value, " is not between 0 and 1");
    }
    plugin_string_free(&number);
    plugin_string_free(&value);
    return good;
}

void exports_mailsonde_stage_plugin_describe(exports_mailsonde_stage_plugin_description_t *description) {
    *description = (exports_mailsonde_stage_plugin_description_t){
        .id = copy("bimi"),
        .version = copy("1.0.0"),
        .writes = {allocate(1, sizeof(text)), 1},
    };
    description->writes.ptr[0] = copy("bimi.record");
}

bool exports_mailsonde_stage_plugin_configure(text *error) {
    if (!read_selector(error) || !read_category(error) || !read_score(error)) {
        return false;
    }
    plugin_list_string_free(&settings.skip);
    text path = borrowed("skip");
    mailsonde_stage_config_get_list(&path, &settings.skip);
    return true;
}

// ---- The questions

// A domain of the batch.
typedef struct {
    text domain;
    size_t subject;
} asked;

static int by_domain(const void *left, const void *right) {
    text a = ((const asked *)left)->domain, b = ((const asked *)right)->domain;
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool worth_asking(const exports_mailsonde_stage_plugin_subject_t *subject) {
    if (!subject->address.is_some) {
        return false;
    }
    text domain = subject->address.val.domain;
    if (domain.ptr[0] == '[') {
        return false; // an address literal has no name to ask for
    }
    for (size_t i = 0; i < settings.skip.len; i++) {
        if (same(domain, settings.skip.ptr[i])) {
            return false;
        }
    }
    return strlen(settings.infix) + domain.len <= NAME_MAX;
}

// ---- The answers

// Removes white space at both ends.
static text trimmed(text t) {
    while (t.len && (*t.ptr == ' ' || *t.ptr == '\t')) {
        t.ptr++, t.len--;
    }
    while (t.len && (t.ptr[t.len - 1] == ' ' || t.ptr[t.len - 1] == '\t')) {
        t.len--;
    }
    return t;
}

// Takes what stands before `separator` off `rest`; all of it where there is none.
static text take_until(text *rest, char separator) {
    uint8_t *at = memchr(rest->ptr, separator, rest->len);
    text taken = {rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};
    size_t gone = taken.len + (at ? 1 : 0);
    rest->ptr += gone;
    rest->len -= gone;
    return taken;
}

// Whether the text is a BIMI record, and the location of its logo: empty where it has none.
static bool parse_record(text rest, text *location) {
    text version = take_until(&rest, ';');
    text name = trimmed(take_until(&version, '='));
    if (!same(name, borrowed("v")) || !same(trimmed(version), borrowed("BIMI1"))) {
        return false;
    }
    *location = borrowed("");
    while (rest.len) {
        text value = take_until(&rest, ';');
        name = trimmed(take_until(&value, '='));
        if (same(name, borrowed("l"))) {
            *location = trimmed(value);
        }
    }
    return true;
}

// The one record among the answers. Where there are several, none counts: it would be chance which.
static bool find_record(const mailsonde_stage_dns_answer_t *answer, text *location) {
    size_t found = 0;
    if (answer->tag == MAILSONDE_STAGE_DNS_ANSWER_FOUND) {
        for (size_t i = 0; i < answer->val.found.len; i++) {
            found += parse_record(answer->val.found.ptr[i], location);
        }
    }
    return found == 1;
}

static void write_outcome(exports_mailsonde_stage_plugin_outcome_t *outcome, text location) {
    outcome->facts.ptr = allocate(1, sizeof *outcome->facts.ptr);
    outcome->facts.len = 1;
    outcome->facts.ptr[0].key = copy("bimi.record");
    outcome->facts.ptr[0].value = location.len ? json_string(location) : copy("true");
    // A record without a location says that the domain wants no logo shown.
    if (settings.has_opinion && location.len) {
        outcome->opinion.is_some = true;
        outcome->opinion.val.category = settings.category;
        outcome->opinion.val.reason = copy("bimi_published");
        outcome->opinion.val.score = settings.score;
    }
}

// Asks for the sorted domains, each once, and writes what was found to all subjects of the domain.
static void ask(const asked *domains, size_t count, exports_mailsonde_stage_plugin_outcome_t *outcomes) {
    mailsonde_stage_dns_list_query_t queries = {allocate(count, sizeof *queries.ptr), 0};
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !same(domains[i].domain, domains[i - 1].domain)) {
            queries.ptr[queries.len].name = joined(settings.infix, domains[i].domain, "");
            queries.ptr[queries.len++].kind = MAILSONDE_STAGE_DNS_KIND_TXT;
        }
    }
    mailsonde_stage_dns_list_answer_t answers = {0};
    mailsonde_stage_dns_lookup_many(&queries, &answers);
    bool failed = false;
    for (size_t i = 0, query = 0; i < count; i++) {
        if (i > 0 && !same(domains[i].domain, domains[i - 1].domain)) {
            query++;
        }
        text location;
        if (find_record(&answers.ptr[query], &location)) {
            write_outcome(&outcomes[domains[i].subject], location);
        }
        failed = failed || answers.ptr[query].tag == MAILSONDE_STAGE_DNS_ANSWER_FAILED;
    }
    if (failed) {
        // Among many domains some are always without an answer, so this warns nobody.
        text line = borrowed("DNS gave no answer for some domains; their records are not known");
        mailsonde_stage_log_write(MAILSONDE_STAGE_LOG_LEVEL_INFO, &line);
    }
    mailsonde_stage_dns_list_answer_free(&answers);
    mailsonde_stage_dns_list_query_free(&queries);
}

void exports_mailsonde_stage_plugin_check_many(exports_mailsonde_stage_plugin_list_subject_t *subjects,
                                               exports_mailsonde_stage_plugin_list_outcome_t *outcomes) {
    outcomes->ptr = allocate(subjects->len, sizeof *outcomes->ptr);
    outcomes->len = subjects->len;
    asked *domains = allocate(subjects->len, sizeof *domains);
    size_t count = 0;
    for (size_t i = 0; i < subjects->len; i++) {
        if (worth_asking(&subjects->ptr[i])) {
            domains[count++] = (asked){subjects->ptr[i].address.val.domain, i};
        }
    }
    if (count > 0) {
        qsort(domains, count, sizeof *domains, by_domain);
        ask(domains, count, outcomes->ptr);
    }
    free(domains);
    exports_mailsonde_stage_plugin_list_subject_free(subjects);
}
