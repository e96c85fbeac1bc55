//! ICT-41, and the line "Bad input": every kind of mistake, with the whole message a person sees.

use muster_model::diagnostic::Style;
use muster_model::document::{DEPTH_MAX, DOCUMENT_BYTES_MAX, parse_bytes};

use crate::support::{inputs, load_text, load_with, refused};

/// A name for each mistake and the text that makes it. The message is kept as a snapshot of that name.
pub const CASES: &[(&str, &str)] = &[
    ("unknown_field", "version: 1\nservers:\n  web:\n    image: x\n    rma: 4 GiB\n"),
    ("unknown_top_field", "version: 1\nserver: {}\nsevers: {}\n"),
    (
        "later_field",
        "version: 1\nalerts: []\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: playbooks/base.yml, hosts: web, rollout: {batch: 1}}\n",
    ),
    ("bad_separator", "version: 1\nseparator: +\nservers:\n  web: {image: x, separator: .}\n"),
    ("no_version", "servers:\n  web: {image: x}\n"),
    ("wrong_version", "version: 2\nservers: {}\n"),
    ("not_a_map", "- a\n- b\n"),
    ("empty_file", ""),
    ("no_image", "version: 1\nservers:\n  web: {cpu: 2}\n"),
    ("image_number", "version: 1\nservers:\n  web: {image: 3492}\n  db: {image: 9999}\n"),
    ("count_minus_one", "version: 1\nservers:\n  web: {image: x, count: -1}\n"),
    ("count_too_large", "version: 1\nservers:\n  web: {image: x, count: 1000000000}\n"),
    (
        "count_is_text",
        "version: 1\nservers:\n  web: {image: x, count: \"3\"}\n  db: {image: x, count: many}\n",
    ),
    ("count_is_fraction", "version: 1\nservers:\n  web: {image: x, count: 1.5}\n"),
    (
        "too_many_together",
        "version: 1\nservers:\n  a: {image: x, count: 10000}\n  b: {image: x, count: 10000}\n  c: {image: x, count: 1}\n",
    ),
    (
        "bandwidth_between",
        "version: 1\nnetworks:\n  back: {bandwidth: 55}\nservers:\n  web: {image: x, bandwidth: 110}\n",
    ),
    (
        "bandwidth_is_text",
        "version: 1\nnetworks:\n  back: {bandwith: 50}\nservers:\n  web: {image: x, bandwidth: 50 Mbit/s}\n",
    ),
    (
        "dns_words",
        "version: 1\nservers:\n  web: {image: x, dns: [{nmae: a.b.c}, {name: a.b.c, ttl: 21600}, {ttl: 60}, 'a b.c', {name: x.y.z, ttl: 5m}]}\n",
    ),
    ("dns_without_quotes", "version: 1\nservers:\n  web: {image: x, dns: {name}.example.com}\n"),
    (
        "dns_names",
        "version: 1\nservers:\n  web: {image: x, dns: [www, '{nmae}.example.com', '{name}.example.com', WWW.example.com., www.example.com, 'a.{', '-a.example.com']}\n",
    ),
    (
        "dns_times",
        "version: 1\nservers:\n  web: {image: x, count: 2, dns: {name: www.example.com, ttl: 60}}\n  db: {image: x, dns: [{name: www.example.com, ttl: 300}]}\n",
    ),
    (
        "public_network_words",
        "version: 1\nnetworks:\n  front: {public: true, addresses: 0, bandwidth: 1010, dhcp: true, firewall: {on: true, default: drop, rules: [{prot: tcp, protocol: tpc}]}}\n  back: {addresses: 8, firewall: {}}\n",
    ),
    ("public_network_lacks", "version: 1\nnetworks:\n  front: {public: true}\n"),
    (
        "public_network_linked",
        "version: 1\nnetworks:\n  front: {public: true, addresses: 8, bandwidth: 100}\nservers:\n  web: {image: x, networks: [front]}\n",
    ),
    ("cpu_nought", "version: 1\nservers:\n  web: {image: x, cpu: 0}\n"),
    ("ram_without_unit", "version: 1\nservers:\n  web: {image: x, ram: 4}\n"),
    ("ram_wrong_unit", "version: 1\nservers:\n  web: {image: x, ram: 4 Gbit}\n"),
    ("ram_negative", "version: 1\nservers:\n  web: {image: x, ram: -4 GiB}\n"),
    ("disk_kind", "version: 1\nservers:\n  web: {image: x, disk: 40 GiB sdd}\n"),
    ("disk_fraction", "version: 1\nservers:\n  web: {image: x, disk: 40.5 GiB}\n"),
    (
        "performance_word",
        "version: 1\nservers:\n  web: {image: x, performance: hihg}\n  db: {image: x, performance: low}\n",
    ),
    ("power_off", "version: 1\nservers:\n  web: {image: x, power: off}\n"),
    ("protect_yes", "version: 1\nservers:\n  web: {image: x, protect: yes}\n"),
    (
        "unknown_network",
        "version: 1\nnetworks: {backend: }\nservers:\n  web: {image: x, networks: [bakcend]}\n",
    ),
    (
        "unknown_hosts",
        "version: 1\nservers:\n  web: {image: x, groups: [frontend]}\ndeploy:\n  - {playbook: playbooks/base.yml, hosts: fronted}\n",
    ),
    ("missing_hosts", "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - playbook: playbooks/base.yml\n"),
    (
        "missing_playbook",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: playbooks/bsae.yml, hosts: all}\n",
    ),
    (
        "missing_code",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: ./ap, to: /srv/app}, hosts: all}\n",
    ),
    (
        "code_words",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app, shard: {}, helth: {}, keep: 500}, hosts: all}\n  - {code: {from: {gti: ., revison: main}, to: /srv/app}, hosts: all}\n  - {code: {from: {git: ., archive: a.tar.gz}, to: /srv/app}, hosts: all}\n",
    ),
    (
        "code_git",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: {git: '-upload-pack=x', revision: main}, to: /srv/app}, hosts: all}\n  - {code: {from: {git: 'ext::sh -c x'}, to: /srv/app}, hosts: all}\n  - {code: {from: {git: 'https://me:word@example.org/a.git'}, to: /srv/app}, hosts: all}\n  - {code: {from: {git: 'gopher://example.org/a'}, to: /srv/app}, hosts: all}\n  - {code: {from: {git: ., revision: --output=x}, to: /srv/app}, hosts: all}\n  - {code: {from: {git: ., revision: main..next, path: ../x}, to: /srv/app}, hosts: all}\n",
    ),
    (
        "code_archive",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: {archive: ./app.zip}, to: /srv/app}, hosts: all}\n  - {code: {from: {archive: ../app.tar.gz}, to: /srv/app}, hosts: all}\n",
    ),
    (
        "code_meets",
        "version: 1\nservers:\n  web: {image: x, groups: [front]}\n  db: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app}, hosts: front}\n  - {code: {from: app, to: /srv/app/}, hosts: [db, web-1]}\n  - {code: {from: app, to: /srv/app/admin}, hosts: all}\n",
    ),
    (
        "code_build",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app, build: make dist}, hosts: all}\n  - {code: {from: app, to: /srv/app-2, build: {comand: [make], within: soon, env: {PATH: /x, a-b: c}}}, hosts: all}\n  - {code: {from: app, to: /srv/app-3, build: []}, hosts: all}\n",
    ),
    (
        "code_shared",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app, shared: [uploads, .env]}, hosts: all}\n  - {code: {from: app, to: /srv/app-2, shared: {directory: [x], files: [../x, /etc/passwd]}}, hosts: all}\n",
    ),
    (
        "code_shared_twice",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app, shared: {directories: [var, var/log, '.'], files: [var]}}, hosts: all}\n",
    ),
    (
        "code_health",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app, health: {within: 5s}}, hosts: all}\n  - {code: {from: app, to: /srv/app-2, health: {command: bin/check, status: 200}}, hosts: all}\n  - {code: {from: app, to: /srv/app-3, health: {http: 'https://127.0.0.1/'}}, hosts: all}\n  - {code: {from: app, to: /srv/app-4, health: {http: 'http://example.org/', status: 20}}, hosts: all}\n  - {code: {from: app, to: /srv/app-5, restart: systemctl restart app}, hosts: all}\n",
    ),
    (
        "missing_archive",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: {archive: ./app.tar.gz}, to: /srv/app}, hosts: all}\n",
    ),
    (
        "path_leaves_root",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: ../base.yml, hosts: all}\n  - {code: {from: /etc, to: srv/app}, hosts: all}\n  - {code: {from: app, to: /}, hosts: all}\n",
    ),
    (
        "deploy_two_kinds",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: playbooks/base.yml, code: {from: app, to: /srv/app}, hosts: all}\n  - {hosts: all}\n  - playbooks/base.yml\n",
    ),
    (
        "bad_variable_name",
        "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: playbooks/base.yml, hosts: all, vars: {my-var: 1}}\n",
    ),
    (
        "bad_names",
        "version: 1\nservers:\n  ../web: {image: x}\n  web/x: {image: x}\n  1web: {image: x}\n  веб: {image: x}\n  \"a\\u001b[31m\": {image: x}\n",
    ),
    (
        "name_too_long",
        "version: 1\nprefix: a-very-long-prefix-that-takes-half-of-the-name-\nservers:\n  and-a-key-as-long: {image: x}\n",
    ),
    ("reserved_group", "version: 1\nservers:\n  all: {image: x}\n  web: {image: x, groups: [ungrouped]}\n"),
    ("group_collision", "version: 1\nservers:\n  web-a: {image: x}\n  web_a: {image: x}\n"),
    ("name_is_group", "version: 1\nservers:\n  web: {image: x, count: 12}\n  web-1: {image: x}\n"),
    ("duplicate_after_prefix", "version: 1\nservers:\n  a-web: {image: x}\n  web: {image: x, prefix: a-}\n"),
    ("duplicate_network", "version: 1\nnetworks:\n  a-back: {}\n  back: {prefix: a-}\n"),
    ("duplicate_key", "version: 1\nservers:\n  web: {image: x}\n  db: {image: x}\n  web: {image: y}\n"),
    ("was_still_there", "version: 1\nservers:\n  web: {image: x, was: [db]}\n  db: {image: x, was: [web]}\n"),
    ("was_twice", "version: 1\nservers:\n  web: {image: x, was: [old]}\n  db: {image: x, was: [old]}\n"),
    (
        "private_key",
        "version: 1\nservers:\n  web:\n    image: x\n    keys: ['-----BEGIN OPENSSH PRIVATE KEY-----', ssh-ed25519 AAAA, me@home]\n",
    ),
    ("unknown_variable", "version: 1\nvars: {region: SdnSpb}\nlocation: ${var:regoin}\nservers: {}\n"),
    ("bad_placeholder", "version: 1\nlocation: ${region}\naccount: 'x${env:A'\nservers: {}\n"),
    ("missing_environment", "version: 1\nlocation: ${env:MUSTER_DC}\nservers: {}\n"),
    ("secret_in_name", "version: 1\naccount: ${secret:account}\nservers:\n  web: {image: x}\n"),
    (
        "variable_declarations",
        "version: 1\nvars:\n  a: {type: strng}\n  b:\n  c: {type: whole, default: x}\n  d: {type: text}\n  e: ${env:X}\n  1f: x\nservers: {}\n",
    ),
    ("list_in_text", "version: 1\nvars: {nets: [a, b]}\nlocation: x-${var:nets}\nservers: {}\n"),
    (
        "wrong_kinds",
        "version: 1\naccount: [a]\nlocation:\nnetworks: [backend]\nservers:\n  web: x\n  db:\n  mq: {image: {name: x}, groups: {a: b}, keys: 5, cpu: [2]}\ndeploy: {playbook: x}\nstats: 1\n",
    ),
    (
        "everything_at_once",
        "version: 1\nacount: x\nservers:\n  web: {image: x, cpu: 0, ram: 4, networks: [nope]}\n  1db: {disk: 40 GiB sdd, power: off}\ndeploy:\n  - {playbook: nope.yml, hosts: webs}\n",
    ),
    ("tab", "version: 1\nservers:\n\tweb: {image: x}\n"),
    ("indentation", "version: 1\nservers:\n    web: {image: x}\n  db: {image: x}\n"),
    ("colon_in_text", "version: 1\nservers:\n  web: {image: x}\n  db:\n    image: a: b\n"),
    ("open_quote", "version: 1\naccount: 'x\nservers: {}\n"),
    ("open_bracket", "version: 1\nservers:\n  web: {image: x\n  db: {image: x}\n"),
    ("unknown_tag", "version: 1\naccount: !!python/object:os.system x\n"),
    ("two_documents", "version: 1\n---\nversion: 1\n"),
    ("unknown_anchor", "version: 1\nservers:\n  web: *base\n"),
    ("endless_anchor", "version: 1\nservers: &all\n  web: *all\n"),
    ("control_character", "version: 1\naccount: \"a\\u0007b\"\n"),
    ("binary", "version: 1\naccount: \u{1}\n"),
    (
        "long_line",
        "version: 1\nservers: {web: {image: x, cpu: 0, groups: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, bb, cc, dd, ee, ff, gg, hh, ii, jj, kk, ll, mm, nn, oo, pp, qq, rr, ss, tt, uu, vv, ww, xx, yy, zz, aaa, bbb, ccc, ddd, eee, fff, ggg, hhh, iii, jjj, kkk, lll, mmm, nnn, ooo, ppp, qqq, rrr, sss, ttt, uuu, vvv, www, xxx, yyy, zzz, aaaa, bbbb, cccc, dddd, eeee]}}\n",
    ),
];

#[test]
fn each_mistake_has_its_message() {
    for (name, text) in CASES {
        insta::assert_snapshot!(*name, refused(text), text);
    }
}

#[test]
fn windows_line_ends_change_no_message() {
    for (name, text) in CASES {
        if !matches!(*name, "open_quote" | "long_line") {
            assert_eq!(refused(&text.replace('\n', "\r\n")), refused(text), "{name}");
        }
    }
}

/// Every problem is at a line of the file and each is drawn with its line.
#[test]
fn every_problem_has_its_place() {
    for (name, text) in CASES {
        for item in load_text(text).unwrap_err().items {
            let place = item.place.unwrap_or_else(|| panic!("{name}: {} has no place", item.message));
            assert!(place.line as usize <= text.lines().count().max(1), "{name}");
            assert!(place.bytes.end <= text.len(), "{name}");
        }
    }
}

#[test]
fn files_that_are_no_text() {
    let not_utf8 = parse_bytes("infra/shop.yaml", b"version: 1\naccount: caf\xe9\n").unwrap_err();
    insta::assert_snapshot!("not_utf8", not_utf8.render(Style::Plain));
    let utf16 = parse_bytes("infra/shop.yaml", b"\xff\xfev\0e\0").unwrap_err();
    insta::assert_snapshot!("utf16", utf16.render(Style::Plain));
}

#[test]
fn a_file_of_100_mb_is_refused_before_it_is_read() {
    let bytes = vec![b'x'; 100_000_000];
    let problem = parse_bytes("infra/shop.yaml", &bytes).unwrap_err();
    insta::assert_snapshot!("too_large", problem.render(Style::Plain));
    assert!(bytes.len() > DOCUMENT_BYTES_MAX);
}

/// YAML bombs stop by counting, not by a clock: what they would make is far beyond the bounds.
#[test]
fn bombs_stop_early() {
    let mut laughs = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
        let (from, to) = pair.split_at(1);
        laughs += &format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", "));
    }
    let mut merges = String::from("a: &a {k0: 1}\n");
    for number in 1..60 {
        let from = if number == 1 { "a".to_owned() } else { format!("m{}", number - 1) };
        merges += &format!("m{number}: &m{number}\n  <<: [*{from}, *{from}, *{from}]\n  k{number}: 1\n");
    }
    let mut open: String = (0..30).map(|depth| format!("{}a: &a{depth}\n", " ".repeat(depth))).collect();
    open += &format!("{}a: [{}]\n", " ".repeat(30), vec!["x"; 100_000].join(","));
    let cases = [
        ("bomb_laughs", laughs),
        ("bomb_merges", merges),
        ("bomb_deep", "[".repeat(100_000)),
        ("bomb_deep_block", (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("bomb_deep_lists", "- ".repeat(20_000)),
        ("bomb_wide", "- 1\n".repeat(260_000)),
        ("bomb_wide_anchor", format!("a: &a [{}]\n", vec!["x"; 18_000].join(",")) + "b: [*a, *a]\n"),
        ("bomb_open_anchors", open),
        ("bomb_anchors", (0..2_000).map(|number| format!("a{number}: &a{number} x\n")).collect()),
    ];
    for (name, text) in &cases {
        let problem = parse_bytes("infra/shop.yaml", text.as_bytes()).unwrap_err();
        insta::assert_snapshot!(*name, problem.render(Style::Plain));
    }
}

/// The deepest document that is accepted fits a small stack, also unoptimised.
#[test]
fn the_deepest_document_fits_a_small_stack() {
    let deep =
        |levels: usize| -> String { (0..levels).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect() };
    let lists = |levels: usize| -> String { "- ".repeat(levels) + "x" };
    let run = move || {
        for text in [deep(DEPTH_MAX - 1), lists(DEPTH_MAX - 1)] {
            parse_bytes("a.yml", text.as_bytes()).unwrap();
        }
        for text in [deep(DEPTH_MAX + 2), lists(DEPTH_MAX + 2)] {
            parse_bytes("a.yml", text.as_bytes()).unwrap_err();
        }
    };
    let thread = std::thread::Builder::new().stack_size(1_500_000).spawn(run).unwrap();
    thread.join().unwrap();
}

#[test]
fn wrong_overrides() {
    let text = "version: 1\nvars: {size: 2}\nservers:\n  web: {image: x, cpu: '${var:size}'}\n";
    let wrong = load_with(text, &inputs(&[("size", "big"), ("sise", "4")], &[])).unwrap_err();
    insta::assert_snapshot!("wrong_overrides", wrong.render(Style::Plain));
    let mut given = inputs(&[], &[]);
    given.var_files = vec!["vars/prod.yaml".to_owned(), "vars/prdo.yaml".to_owned()];
    let wrong = load_with(text, &given).unwrap_err();
    insta::assert_snapshot!("wrong_var_file", wrong.render(Style::Plain));
}
