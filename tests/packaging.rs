//! What is shipped around the program: every file that a package, an image or a compose file takes
//! is there, and they agree on where things are.

use std::path::Path;

use chronolith_tests::workspace_root;

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace_root().join(path)).unwrap()
}

/// Whether it is there: of a pattern, the folder that it looks in.
fn exists(path: &Path) -> bool {
    let is_pattern = |part: &Path| part.to_string_lossy().contains('*');
    let mut plain = path.ancestors().skip_while(|part| is_pattern(part));
    plain.next().is_some_and(Path::exists)
}

/// The assets of the Debian package: what is taken, and where it goes.
fn assets() -> Vec<(String, String)> {
    let manifest = read("server/Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = assets.split_once("\n]\n").unwrap();
    let lines = assets.lines().filter(|line| !line.trim().starts_with('#'));
    let parts = lines.map(|line| {
        let mut quoted = line.split('"').skip(1).step_by(2);
        (
            quoted.next().unwrap().to_owned(),
            quoted.next().unwrap().to_owned(),
        )
    });
    parts.collect()
}

#[test]
fn the_package_has_what_it_names_and_its_unit_finds_it() {
    let (assets, script) = (assets(), read("server/packaging/deb.sh"));
    assert!(assets.len() > 10, "{assets:?}");
    for (source, _) in &assets {
        if source.starts_with("target/") {
            continue;
        }
        // What the script makes it has to name.
        let is_there = match source.strip_prefix("../target/package/") {
            Some(made) => script.contains(&format!("$out/{}", made.trim_end_matches("/*"))),
            None => exists(&workspace_root().join("server").join(source)),
        };
        assert!(is_there, "{source}");
    }
    let goes_to = |to: &str| assets.iter().any(|(_, place)| place == to);
    let unit = read("server/packaging/chronolith.service");
    let begin = "ExecStart=/usr/bin/chronolith serve --config /etc/chronolith/chronolith.yml\n";
    assert!(unit.contains(begin) && goes_to("usr/bin/") && goes_to("etc/chronolith/"));
    assert!(unit.contains("Documentation=man:chronolith(1)") && goes_to("usr/share/man/man1/"));
    let manifest = read("server/Cargo.toml");
    assert!(manifest.contains("conf-files = [\"/etc/chronolith/chronolith.yml\"]"));
    let user = read("server/packaging/sysusers.conf");
    assert!(user.starts_with("u chronolith ") && unit.contains("\nUser=chronolith\n"));
    let config = read("server/packaging/chronolith.yml");
    assert!(config.contains("/var/lib/chronolith") && unit.contains("StateDirectory=chronolith"));
}

#[test]
fn the_image_is_built_of_what_there_is() {
    let file = read("server/packaging/Dockerfile");
    let copies = file.lines().filter_map(|line| line.strip_prefix("COPY "));
    let mut of_stages = 0;
    for copy in copies {
        let (flags, mut paths): (Vec<&str>, Vec<&str>) = copy
            .split_whitespace()
            .partition(|word| word.starts_with("--"));
        paths.pop();
        if flags.iter().any(|flag| flag.starts_with("--from=build")) {
            of_stages += 1;
            continue;
        }
        for path in paths {
            assert!(exists(&workspace_root().join(path)), "{path}");
        }
    }
    assert_eq!(of_stages, 2);
    // The stage before makes what is copied out of it.
    let build = "cargo build --profile dist --locked -p chronolith-server --bin chronolith";
    assert!(file.contains(build) && file.contains("/src/target/dist/chronolith "));
    assert!(read("Cargo.toml").contains("\n[profile.dist]\n"));
    // Its compiler is new enough.
    let version = read("Cargo.toml");
    let (_, version) = version.split_once("rust-version = \"").unwrap();
    let (version, _) = version.split_once('"').unwrap();
    assert!(file.contains(&format!("FROM rust:{version}-")), "{version}");
}

#[test]
fn the_compose_file_mounts_what_there_is() {
    let text = read("server/packaging/compose.yml");
    let here = workspace_root().join("server/packaging");
    let mounts = text
        .split(['"', ' ', '[', ']', '\n'])
        .filter(|it| it.starts_with('.'));
    let mut count = 0;
    for mount in mounts {
        let (path, _) = mount.split_once(':').unwrap_or((mount, ""));
        assert!(exists(&here.join(path)), "{path}");
        count += 1;
    }
    assert!(count >= 4, "{count} paths");
    assert!(text.contains("dockerfile: server/packaging/Dockerfile"));
}
