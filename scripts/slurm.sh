#!/usr/bin/env bash
# Image on a Slurm cluster:  sbatch scripts/slurm.sh
#
# Ranks: one worker each; more ranks than the image has channels (a cube), or than some 10,000 rows a rank fill (a
# continuum), stay idle. Three processes wait or compute on rank 0, two on the others, and only one of them at a time.
#SBATCH --job-name=pclean
#SBATCH --ntasks=32
#
# Threads: a rank's share of the node's cores becomes OMP_NUM_THREADS of its worker. Gridding in CASA hardly uses more
# than one thread, so that more ranks with one core each are better than fewer with several.
#SBATCH --cpus-per-task=1
#
# Memory: a worker takes about 0.5 GB and its share of the image: 40 to 60 bytes a pixel of its channels for a cube, 40
# to 60 bytes a pixel of the WHOLE image for a continuum.
#SBATCH --mem-per-cpu=4G
#SBATCH --time=04:00:00
#
# Disk: the data, the images and the working directory must be on a disk that all nodes see under the same path
# (Lustre, GPFS, BeeGFS, NFS): planes pass from worker to worker through files there, and not through the network.
#
# Time: a minute before the end SIGTERM comes, pclean leaves what it has, and the job is sent again: it goes on after its
# last whole cycle. So it does where a node is lost, or the job preempted (--requeue). The limit may be short.
#SBATCH --signal=TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
source "$HOME/pclean-env/bin/activate"  # the environment that pcleantask is installed in

# With srun, mpi4py must load the MPI that the cluster's Slurm knows: load its module, and name the plugin that it needs
# (pmix for Open MPI, pmi2 for MPICH and Intel MPI). Otherwise: mpirun of that MPI in srun's place.
module load openmpi
status=0
srun --mpi=pmix pclean image --vis x.ms --imagename x --specmode cube --imsize 2048 --cell 0.1arcsec \
    --weighting briggs --niter 100000 --threshold 5mJy --usemask auto-multithresh || status=$?
if [ "$status" -eq 143 ]; then  # ended by SIGTERM
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"

# A whole script, with other CASA tasks in it; each pclean call in it uses all ranks:
#     srun --mpi=pmix pclean run reduction.py --band 6
