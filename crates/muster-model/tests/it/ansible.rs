//! Inventories as text, and the check that comes before any host is touched.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::ansible::template::{needed, needed_by_expression};
use muster_model::ansible::{Inventory, InventoryHost, Question, check};
use proptest::prelude::*;

fn host(name: &str, groups: &[&str]) -> InventoryHost {
    InventoryHost {
        name: name.to_owned(),
        address: "10.0.0.1".to_owned(),
        port: 22,
        user: "root".to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        playbook: None,
        vars: BTreeMap::new(),
    }
}

fn inventory() -> Inventory {
    Inventory::build([host("web-1", &["web", "front-end"]), host("db-1", &["db"])]).unwrap()
}

fn problems_with(list: &[(&str, &str)], change: impl FnOnce(&mut Question<'_>)) -> String {
    let inventory = inventory();
    let mut question = Question { playbook: "site.yml", inventory: Some(&inventory), ..Question::default() };
    change(&mut question);
    let problems = check(list.iter().map(|(path, text)| (*path, text.as_bytes())), &question);
    problems.items.iter().map(|problem| problem.one_line() + "\n").collect()
}

fn problems(list: &[(&str, &str)]) -> String {
    problems_with(list, |_| {})
}

/// ICT-48, ICT-50, ICT-51, ICT-52: data are prepared apart from Ansible and servers; YAML that stock Ansible reads, playbook links as host variables.
#[test]
fn writes_an_inventory() {
    let mut web = host("web-1", &["web", "front-end"]);
    web.playbook = Some("playbooks/site.yml".into());
    web.vars.insert("greeting".into(), "yes: \"no\"\n".into());
    let inventory = Inventory::build([web, host("db-1", &["db"])]).unwrap();
    assert_eq!(
        inventory.to_yaml(),
        r#"# Written by Muster; changes are overwritten.
all:
  hosts:
      "db-1": {"ansible_host":"10.0.0.1","ansible_port":22,"ansible_user":"root"}
      "web-1": {"ansible_host":"10.0.0.1","ansible_port":22,"ansible_user":"root","greeting":"yes: \"no\"\n","muster_playbook":"playbooks/site.yml"}
  children:
    db:
      hosts:
        "db-1": {}
    front_end:
      hosts:
        "web-1": {}
    web:
      hosts:
        "web-1": {}
"#
    );
}

#[test]
fn refuses_names_that_ansible_would_read_differently() {
    let errors = Inventory::build([host("a", &["front-end"]), host("b", &["front_end"])]).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "the groups `front-end` and `front_end` are both called `front_end` in Ansible; rename one of them"
    );
    let text = |hosts: Vec<InventoryHost>| Inventory::build(hosts).unwrap_err()[0].to_string();
    assert_eq!(
        text(vec![host("a", &["b"]), host("b", &[])]),
        "the name `b` stands for two things in the inventory"
    );
    assert_eq!(
        text(vec![host("a", &[]), host("a", &[])]),
        "the name `a` stands for two things in the inventory"
    );
    assert!(text(vec![host("a:b", &[])]).contains("`:`"));
    assert!(text(vec![host("a", &["all"])]).contains("keeps this name"));
    assert!(text(vec![host("a", &["2nd"])]).contains("digit"));
}

#[test]
fn ten_thousand_hosts_are_written() {
    // An accidental square of ten thousand would not finish here; how long it takes is told by `./dev bench list`.
    let hosts = (0..10_000).map(|number| host(&format!("web-{number}"), &["web", "front-end"]));
    let text = Inventory::build(hosts).unwrap().to_yaml();
    assert_eq!(text.lines().count(), 10_000 * 3 + 8);
}

/// ICT-27, ICT-50: a bad role or variable fails before any host is touched.
#[test]
fn finds_everything_that_is_missing_at_once() {
    let found = problems(&[
        (
            "site.yml",
            "- hosts: front-end\n  roles: [ngnix, { role: app, port: 80 }]\n  vars_files: [vars/secrets.yml]\n  \
             tasks:\n    - import_tasks: more.yml\n    - include_tasks: \"{{ os }}.yml\"\n      when: false\n\
             - hosts: wbe\n- hosts: all:!db:&web*\n- import_playbook: other.yml\n",
        ),
        ("roles/nginx/tasks/main.yml", "- debug: msg=hi\n"),
        (
            "roles/app/tasks/main.yml",
            "- template: { src: app.cnf, dest: /x }\n- copy: { src: x, dest: y }\n  when: z\n",
        ),
        ("roles/app/templates/app.conf", ""),
    ]);
    assert_eq!(
        found,
        "roles/app/tasks/main.yml:1:20: error: the file `app.cnf` is not in the bundle (did you mean `app.conf`?)\n\
         roles/app/tasks/main.yml:2:16: warning: the file `x` is not in the bundle\n\
         site.yml:1:10: error: `hosts: front-end` names no group and no server (in Ansible this group is called `front_end`)\n\
         site.yml:2:11: error: there is no role `ngnix` (did you mean `nginx`?)\n\
         site.yml:3:16: error: the variable file `vars/secrets.yml` is not in the bundle\n\
         site.yml:5:21: error: the task file `more.yml` is not in the bundle (did you mean `main.yml`?)\n\
         site.yml:8:10: error: `hosts: wbe` names no group and no server (did you mean `web`?)\n\
         site.yml:10:20: error: the playbook `other.yml` is not in the bundle\n"
    );
    assert_eq!(
        problems(&[("sites.yml", "")]),
        "error: there is no playbook `site.yml` (did you mean `sites.yml`?)\n"
    );
    assert_eq!(
        problems(&[("site.yml", "hosts: all\n")]),
        "site.yml:1:1: error: a playbook is a list of plays\n"
    );
    assert!(problems(&[("site.yml", "- hosts: [all\n")]).starts_with("site.yml:"));
}

#[test]
fn finds_undefined_variables() {
    let found = problems(&[
        (
            "site.yml",
            "- hosts: all\n  vars: { port: 80 }\n  roles: [app]\n  tasks:\n    - debug: { msg: \"{{ prot }} {{ port }}\" }\n    \
             - command: echo {{ result.stdout }} {{ user_name | upper }}\n    - debug: { msg: \"{{ maybe }}\" }\n      when: wanted\n",
        ),
        ("roles/app/defaults/main.yml", "app_name: shop\n"),
        ("roles/app/tasks/main.yml", "- template: { src: a.j2, dest: /a }\n"),
        (
            "roles/app/templates/a.j2",
            "{{ app_name }}\n  {{ app_nmae }} {% for x in hosts_list %}{{ x }}{% endfor %}\n",
        ),
    ]);
    assert_eq!(
        found,
        "roles/app/templates/a.j2:2:6: error: the variable `app_nmae` is used here but defined nowhere (did you mean `app_name`?)\n\
         roles/app/templates/a.j2:2:30: error: the variable `hosts_list` is used here but defined nowhere\n\
         site.yml:5:25: error: the variable `prot` is used here but defined nowhere (did you mean `port`?)\n\
         site.yml:6:24: error: the variable `result` is used here but defined nowhere\n\
         site.yml:6:44: error: the variable `user_name` is used here but defined nowhere\n\
         site.yml:7:25: warning: the variable `maybe` is used here but defined nowhere\n\
         site.yml:8:13: warning: the variable `wanted` is used here but defined nowhere\n"
    );
}

#[test]
fn extra_variables_and_tags_are_heard() {
    let list = [("site.yml", "- hosts: all\n  tasks: [{ debug: { msg: \"{{ a }}\" } }]\n")];
    assert!(problems(&list).contains("error: the variable `a`"));
    assert_eq!(problems_with(&list, |question| question.extra_vars = BTreeSet::from(["a".to_owned()])), "");
    assert!(problems_with(&list, |question| question.tags = true).contains("warning: the variable `a`"));
}

/// A long list of things that work and must never be reported.
#[test]
fn gives_no_false_alarms() {
    let fine = [
        (
            "site.yml",
            r#"
- name: "Set up {{ whatever_the_name }}"
  hosts: web:&all:!db,~we.*
  gather_facts: true
  vars:
    a: "{{ lazy_and_never_used }}"
    b: { c: 1 }
  vars_prompt: [{ name: asked, prompt: x }]
  vars_files: ["vars/a.yml", ["vars/none.yml", "vars/b.yml"]]
  pre_tasks:
    - set_fact: fact_one=1 fact_two="{{ a }}"
    - ansible.builtin.set_fact: { fact_three: "{{ fact_one }}" }
    - command: uname
      register: out
      loop: "{{ groups['web'] }}"
      loop_control: { loop_var: turn, index_var: number }
      when: out is not defined or turn in vars
    - debug: { msg: "{{ item.name }} {{ turn }} {{ number }} {{ asked }} {{ from_a }} {{ from_b }}" }
      with_items: [1]
    - debug: { msg: "{{ hostvars[inventory_hostname].ansible_host }} {{ ansible_facts['os'] }}" }
    - debug: { msg: "{{ nothing | default('x') }} {{ no | d(other) }} {{ n if n is defined else 1 }}" }
    - debug: { var: never }
    - debug: { msg: "{{ lookup('env', 'HOME') }} {{ query('x') }} {{ 'text {{ no }}' }} {{ \"it's\" }}" }
    - debug: { msg: "{{ [1,2] | map('int') | select('gt', 1) | list }} {{ {'k': b.c, 'l': {'m': 1}} }}" }
    - debug: { msg: "{% set own = 1 %}{{ own }}{% for k, v in b.items() %}{{ k }}{{ v }}{{ loop.index }}{% endfor %}" }
    - debug: { msg: "{% raw %}{{ raw_text }}{% endraw %}{# {{ comment }} #}{{ b | combine({'x': 1}, recursive=True) }}" }
    - assert: { that: ["a is version('1', '>')", "fact_one == '1'"], fail_msg: no }
    - shell: "awk '{ print $1 }' {{ a }}"
      args: { chdir: "{{ role_path | default(playbook_dir) }}" }
      vars: { inner: 1 }
    - debug: { msg: "{{ inner }} {{ group_var }} {{ host_var }} {{ param }} {{ from_defaults }} {{ dependency_var }}" }
    - block:
        - command: "{{ out.stdout }}"
      rescue:
        - debug: { msg: "{{ ansible_failed_result }}" }
    - include_role: { name: app, tasks_from: extra }
    - include_tasks: tasks/more.yml
    - copy: { src: /etc/passwd, dest: /x }
    - copy: { src: ../outside, dest: /x, remote_src: true }
    - copy: { content: "{{ a }}", dest: /x }
    - action: template src=a.j2 dest=/a
  roles:
    - { role: app, param: 1 }
  handlers:
    - name: restart
      service: { name: x, state: restarted }
- hosts: localhost
  tasks: []
"#,
        ),
        ("vars/a.yml", "from_a: 1\nfrom_a: 2\n"),
        ("vars/b.yml", "---\nfrom_b: !vault |\n  $ANSIBLE_VAULT;1.1\n"),
        ("group_vars/all.yml", "group_var: 1\n"),
        ("group_vars/web/x.yml", "# nothing\n"),
        ("host_vars/web-1.yml", "host_var: yes\n"),
        ("tasks/more.yml", "- include_tasks: even_more.yml\n- debug: msg={{ from_role_vars }}\n"),
        ("tasks/even_more.yml", "[]"),
        (
            "templates/a.j2",
            "{{ ansible_managed }} {% if z is defined %}{{ z }}{% endif %}{% macro m(p) %}{{ p }}{% endmacro %}{{ m(1) }}",
        ),
        ("roles/app/defaults/main.yml", "from_defaults: 1\n"),
        ("roles/app/vars/main.yml", "from_role_vars: 1\n"),
        ("roles/app/meta/main.yml", "dependencies: [{ role: base }]\n"),
        (
            "roles/app/tasks/main.yml",
            "- import_tasks: install.yml\n- template: { src: app.conf.j2, dest: /x }\n",
        ),
        ("roles/app/tasks/install.yml", "- copy: { src: file.txt, dest: /x }\n"),
        ("roles/app/tasks/extra.yml", "- debug: { msg: \"{{ from_defaults }}\" }\n"),
        ("roles/app/files/file.txt", "x"),
        ("roles/app/templates/app.conf.j2", "{{ from_defaults }}"),
        ("roles/base/defaults/main.yml", "dependency_var: 1\n"),
    ];
    assert_eq!(problems(&fine), "");
    for unclear in [
        "- hosts: all\n  tasks:\n    - include_vars: \"{{ ansible_os_family }}.yml\"\n    - debug: msg={{ x }}\n",
        "- hosts: all\n  roles: [geerlingguy.nginx.web]\n  tasks: [{ debug: msg={{ x }} }]\n",
        "- hosts: all\n  tasks:\n    - my.own.thing_facts: {}\n    - debug: msg={{ x }}\n",
        "- hosts: all\n  vars_files: [\"{{ env }}.yml\"]\n  tasks: [{ debug: msg={{ x }} }]\n",
        "- hosts: all\n  tasks:\n    - set_fact: \"{{ all_of_it }}\"\n    - debug: msg={{ x }}\n",
        "- hosts: all\n  tasks: [{ debug: { msg: !unsafe \"{{ x }}\" } }]\n",
        "- hosts: all\n  tasks: [{ add_host: { name: n, groups: g } }]\n- hosts: g\n",
        "- hosts: \"{{ target }}\"\n",
        "- import_playbook: my.own.book\n",
    ] {
        let found = problems(&[("site.yml", unclear)]);
        assert!(!found.contains("`x`") && !found.contains("`g`"), "{unclear}\n{found}");
    }
}

#[test]
fn circles_end() {
    let list = [
        (
            "site.yml",
            "- import_playbook: site.yml\n- hosts: all\n  roles: [a]\n  tasks: [{ include_tasks: t.yml }]\n",
        ),
        ("t.yml", "- include_tasks: t.yml\n"),
        ("roles/a/meta/main.yml", "dependencies: [b]\n"),
        ("roles/b/meta/main.yml", "dependencies: [a]\n"),
        ("roles/b/tasks/main.yml", "- include_role: { name: a }\n"),
    ];
    assert_eq!(problems(&list), "");
}

#[test]
fn reads_expressions() {
    let names = |text: &str| needed(text).into_iter().map(|use_| use_.name).collect::<Vec<_>>().join(" ");
    assert_eq!(names("{{ a.b.c[d] }} {{ f(x, y=z) }} {{ a|g(h) }}"), "a d x z a h");
    assert_eq!(names("{{ not a is failed and b is not changed }}"), "a b");
    assert_eq!(names("{{ 'é\\'{{ no }}' ~ ö }} {{ x"), "");
    assert_eq!(names("{% with v = w %}{{ v }}{% endwith %}{% set p, q = r %}{{ p }}"), "w r");
    assert_eq!(needed_by_expression("a == 'b' and not c").len(), 2);
    assert_eq!(needed_by_expression("x in ['a', 'b'] and y in vars"), []);
}

proptest! {
    #[test]
    fn templates_never_panic(text in "[{}%#'\"\\\\ a-cé.|=\n]{0,60}") {
        let _ = needed(&text);
        let _ = needed_by_expression(&text);
    }

    #[test]
    fn playbooks_never_panic(text in "(- hosts: a\n  tasks:\n)?[-a-z:{}\\[\\] \n\"'|>]{0,80}") {
        let _ = problems(&[("site.yml", &text)]);
    }
}
