# Changes to what tests/programs/test_policy.py lays out, and what is seen of them: the same in an overlay as in place.
set -u
show() { find . -mindepth 1 -printf '%P %y %m %s %l %n\n' | LC_ALL=C sort | sed 's/^\([^ ]* d [0-9]*\) [0-9]*  *[0-9]*$/\1/'; find . -type f | LC_ALL=C sort | xargs -d '\n' cat | cksum; }
show
echo new > added; echo more >> file; sed -i s/inner/outer/ folder/inner
cp -a folder copy; mv folder moved; mkdir folder; ls -A folder; echo x > folder/x
ln file hard; ln -s ../file copy/soft; cat copy/soft | tail -1; readlink copy/soft
rm link; ln -s moved link; ls link/; cat link/inner
show
rmdir deep/empty; rm -r deep/a; mkdir deep/a; ls -A deep/a deep; rmdir deep/a; rm -rf deep; mkdir -p deep/a/b; ls -AR deep
touch -d @1000000 file; stat -c '%Y %a %s' file; chmod 640 file; stat -c '%a' file hard
mv -n file many/f3 ; cat many/f3; mv many/f5 many/f6; ls many | wc -l; rm many/*; rmdir many; ls many 2>&1
mkdir many; ls -A many; touch many/f1; cat many/f1
tar cf - moved copy | tar xf - -C deep; show
python3 - <<'P'
import os, tempfile, shutil, fcntl
for name in sorted(os.listdir(".")): print(name, os.path.isdir(name), os.access(name, os.W_OK))
with open("locked", "w+") as f: fcntl.lockf(f, fcntl.LOCK_EX); f.write("a" * 10); f.flush(); f.seek(0); print(f.read()); f.truncate(3)
print(os.stat("locked").st_size)
fd = os.open("moved", os.O_RDONLY); print(sorted(os.listdir(fd))); os.mkdir("sub", dir_fd=fd); print(os.stat("sub", dir_fd=fd).st_mode); os.rename("inner", "other", src_dir_fd=fd, dst_dir_fd=fd); print(sorted(os.listdir(fd)))
attempts = """
os.rmdir('moved')
os.unlink('moved')
os.rmdir('locked')
os.mkdir('moved')
os.rename('moved', 'moved/sub/x')
os.rename('moved', 'copy')
os.rename('locked', 'moved')
os.rename('moved', 'locked')
os.link('moved', 'x')
open('none/x', 'w')
open('locked/x')
os.open('locked', os.O_CREAT | os.O_EXCL)
open('moved', 'w')
os.symlink('a', 'locked')
os.readlink('locked')
os.chdir('locked')
os.rmdir('.')
os.open('link', os.O_NOFOLLOW)
os.truncate('moved', 0)
os.listdir('locked')
os.stat('x' * 300)
os.mkdir('')
os.rmdir('moved/..')
open('file' + '/')
os.stat('loop')
"""
for attempt in attempts.strip().splitlines():
    if "loop" in attempt: os.symlink("loop", "loop")
    try:
        eval(attempt)
        print(attempt, "works")
    except OSError as error: print(attempt, error.errno)
os.unlink("loop")
d = os.open(".", os.O_DIRECTORY); os.chdir("moved"); print(os.path.basename(os.getcwd())); os.chdir(".."); os.fchdir(d)
it = os.scandir("."); print(sorted((e.name, e.is_dir(), e.is_symlink()) for e in it))
shutil.copytree("moved", "tree"); shutil.rmtree("tree"); print(os.path.exists("tree"))
os.mkfifo("fifo"); print(oct(os.stat("fifo").st_mode))
p = os.fork()
if p == 0:
    open("fifo", "w").write("through"); os._exit(0)
print(open("fifo").read()); os.waitpid(p, 0)
t = tempfile.TemporaryFile(); t.write(b"tmp"); t.seek(0); print(t.read())
t = tempfile.NamedTemporaryFile(dir="."); t.write(b"tmp"); t.flush(); print(open(t.name).read()); print(os.fstat(t.fileno()).st_size, os.stat(f"/proc/self/fd/{t.fileno()}").st_size)
print(open(f"/proc/self/fd/{t.fileno()}").read(), os.path.basename(os.readlink(f"/proc/self/fd/{t.fileno()}")) == os.path.basename(t.name))
os.utime("locked", (5, 6)); print(os.stat("locked").st_mtime); os.chmod("locked", 0o400); print(oct(os.stat("locked").st_mode))
os.setxattr("locked", "user.a", b"b"); print(os.listxattr("locked"), os.getxattr("locked", "user.a"))
print(os.statvfs(".").f_bsize > 0, os.path.realpath("link") == os.path.join(os.getcwd(), "moved"))
P
show
