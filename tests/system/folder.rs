//! A folder of files to serve, with secrets outside and hidden inside; and the ways that are tried to get at them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

pub const SECRET: &str = "a secret outside, or hidden";

/// A folder of its own, gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        Folder::within(&std::env::temp_dir(), name)
    }

    /// The same in memory, where the system has such a disk: for who asks what a dying process leaves there, and not what
    /// a disk leaves that loses its power.
    pub fn in_memory(name: &str) -> Folder {
        let disk = Path::new("/dev/shm");
        if disk.is_dir() { Folder::within(disk, name) } else { Folder::new(name) }
    }

    fn within(place: &Path, name: &str) -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = place.join(format!("continuity-{name}-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    /// A folder `public` to serve: some files in it, links, a pipe; and secrets around it.
    pub fn served(name: &str) -> Folder {
        let folder = Folder::new(name);
        folder.write("public/style.css", "body { color: teal }");
        folder.write("public/deep/er/page.html", "<p>deep</p>");
        folder.write("public/deep/index.html", "<p>index</p>");
        folder.write("public/.well-known/security.txt", "Contact: us");
        let hidden = ["public/.env", "public/.git/config.txt", "public/deep/.hidden.txt"];
        for secret in hidden.into_iter().chain(["secret.txt", "plain", "public-not/x.txt", "out/secret.txt"])
        {
            folder.write(secret, SECRET);
        }
        for (link, to) in [
            ("public/out.txt", "../secret.txt"),
            ("public/outside", ".."),
            ("public/deep/out.txt", "../out.txt"),
            ("public/dangling.txt", "nowhere"),
            ("public/loop.txt", "loop.txt"),
            ("public/inside.css", "style.css"),
        ] {
            folder.link(link, to);
        }
        folder.link("public/absolute.css", folder.0.join("public/style.css"));
        folder.link("public/absolute.txt", folder.0.join("secret.txt"));
        folder
    }

    pub fn public(&self) -> PathBuf {
        self.0.join("public")
    }

    /// A file that was not touched for an hour.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder can be made");
        std::fs::write(path, content).expect("a file can be written");
        self.touch(name, Duration::from_secs(3600));
    }

    /// Makes a file this old.
    pub fn touch(&self, name: &str, age: Duration) {
        self.open(name).set_modified(SystemTime::now() - age).expect("a file has a time");
    }

    pub fn open(&self, name: &str) -> std::fs::File {
        std::fs::File::options().write(true).open(self.0.join(name)).expect("a file can be opened")
    }

    pub fn link(&self, link: &str, to: impl AsRef<std::path::Path>) {
        std::os::unix::fs::symlink(to, self.0.join(link)).expect("a link can be made");
    }

    /// A pipe that nobody writes to.
    pub fn pipe(&self, name: &str) {
        let made = std::process::Command::new("mkfifo").arg(self.0.join(name)).status();
        assert!(made.expect("there is mkfifo").success());
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left there is the system's to clean.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Paths that try to lead out, or to what is hidden.
pub const ESCAPES: [&str; 70] = [
    "/../secret.txt",
    "/../../../../../../../etc/passwd.txt",
    "/deep/../../secret.txt",
    "/deep/er/../../../secret.txt",
    "/./../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E%2E/secret.txt",
    "/.%2e/secret.txt",
    "/%2e./secret.txt",
    "/..%2fsecret.txt",
    "/..%2Fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/deep%2f..%2f..%2fsecret.txt",
    "/deep/%2e%2e%2f%2e%2e%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/%25252e%25252e/secret.txt",
    "/..%5csecret.txt",
    "/..%5Csecret.txt",
    "/..\\secret.txt",
    "/deep\\..\\..\\secret.txt",
    "/%5c..%5csecret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/%c0%2e%c0%2e/secret.txt",
    "/%e0%80%ae%e0%80%ae/secret.txt",
    "/..%c0%afsecret.txt",
    "/..%c1%9csecret.txt",
    "/..%e0%80%afsecret.txt",
    "/%u002e%u002e/secret.txt",
    "/..%u2215secret.txt",
    "/%uff0e%uff0e/secret.txt",
    "/%ef%bc%8e%ef%bc%8e/secret.txt",
    "/..%ef%bc%8fsecret.txt",
    "/..%00/secret.txt",
    "/..%00secret.txt",
    "/style.css%00.txt",
    "/..%0asecret.txt",
    "/..;/secret.txt",
    "/..;x=y/secret.txt",
    "/.../secret.txt",
    "/..../secret.txt",
    "/%2e%2e%20/secret.txt",
    "/..%09/secret.txt",
    "//../secret.txt",
    "///secret.txt",
    "//etc/passwd.txt",
    "/deep//../../secret.txt",
    "/%2fetc%2fpasswd.txt",
    "/file:%2f%2f%2fetc%2fpasswd.txt",
    "/c:/secret.txt",
    "/c%3a%5csecret.txt",
    "/secret.txt::$DATA",
    "/..%2fpublic-not%2fx.txt",
    "/../public-not/x.txt",
    "/outside/secret.txt",
    "/outside/out/secret.txt",
    "/out.txt",
    "/deep/out.txt",
    "/absolute.txt",
    "/.env",
    "/%2eenv",
    "/%2Eenv",
    "//.env",
    "/./.env",
    "/.git/config.txt",
    "/%2egit/config.txt",
    "/.git%2fconfig.txt",
    "/deep/.hidden.txt",
    "/deep%2F%2ehidden.txt",
    "/x%2f..%2f.env",
];
