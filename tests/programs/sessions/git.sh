# A repository's life: commits, a merge, packing, a copy of it.
# needs: git
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE=2024-01-01T00:00:00Z GIT_COMMITTER_DATE=2024-01-01T00:00:00Z
git init -q -b main here
cd here
for i in 1 2 3 4 5; do seq $i 300 > f$i; done
git add .
git commit -q -m one
git checkout -q -b side
echo y > g
git add g
git commit -q -m two
git checkout -q main
echo z >> f5
git commit -q -a -m three
git merge -q -m merge side
git log --stat --graph --oneline
git gc -q
git fsck
git count-objects -v | grep -v size
git diff HEAD~1 --stat
cd ..
git clone -q here there
cd there
git rev-parse HEAD
git blame f5 | tail -2 | cut -c1-8
git archive HEAD | md5sum
