#!/usr/bin/env bash
# Image on a PBS cluster:  qsub scripts/pbs.sh
#
# Ranks, threads, memory and disk: see scripts/slurm.sh. Here: two nodes, 16 ranks on each with one core and 4 GB a rank.
#PBS -N pclean
#PBS -l select=2:ncpus=16:mpiprocs=16:ompthreads=1:mem=64gb
#PBS -l walltime=04:00:00
#PBS -j oe
#
# The data, the images and this directory must be on a disk that all nodes see under the same path.
set -euo pipefail
cd "$PBS_O_WORKDIR"
source "$HOME/pclean-env/bin/activate"  # the environment that pcleantask is installed in

# mpirun must be that of the MPI that mpi4py loads: the module's, or that of `pip install mpich` in the environment.
module load openmpi
mpirun -n 32 pclean image --vis x.ms --imagename x --specmode cube --imsize 2048 --cell 0.1arcsec \
    --weighting briggs --niter 100000 --threshold 5mJy --usemask auto-multithresh

# A whole script, with other CASA tasks in it; each pclean call in it uses all ranks:
#     mpirun -n 32 pclean run reduction.py --band 6
